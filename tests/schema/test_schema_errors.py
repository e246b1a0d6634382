"""Malformed declarations: each is refused as soon as it can be seen, and says what to write."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Dict, List  # noqa: UP035

import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from tests.zoo import LinearState, MlpState
from typedstate import (
    Alias,
    Bind,
    Entries,
    Only,
    SchemaError,
    Shared,
    StateMap,
    TypedState,
    check,
    explain,
)

#: What the source that the tests run may name.
NAMES = {
    "Alias": Alias,
    "Annotated": Annotated,
    "Any": Any,
    "Array": Array,
    "Bind": Bind,
    "Dict": Dict,  # noqa: UP006
    "Entries": Entries,
    "Float": Float,
    "LinearState": LinearState,
    "List": List,  # noqa: UP006
    "MlpState": MlpState,
    "Only": Only,
    "P": P,
    "Shared": Shared,
    "StateMap": StateMap,
    "TypedState": TypedState,
    "jnp": jnp,
    "nnx": nnx,
    "sys": sys,
}


POSTPONED = "from __future__ import annotations\n"


def run(source: str, names: dict[str, Any]) -> None:
    """Runs source in a namespace that has the names of this module."""
    names.update({**NAMES, "__name__": __name__, **names})
    exec(compile(source, "<test>", "exec", dont_inherit=True), names)


def declare(body: str, bases: str = "TypedState", before: str = "") -> Any:
    """Makes a schema class from the source of its body."""
    names: dict[str, Any] = {}
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    run(f"{before}class S({bases}):\n{lines}", names)
    return names["S"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # Assignments and methods
        ("kernel = nnx.Param", "S.kernel: write kernel: ..., not kernel = ..."),
        (
            "kernel = nnx.Param[Float[Array, 'n']],",
            "S.kernel: write kernel: ..., not kernel = ... (and is there a trailing comma?)",
        ),
        (
            "kernel: nnx.Param = None",
            "S.kernel: a field has no default; where it may be absent write kernel: ... | None",
        ),
        (
            "kernel: nnx.Param = nnx.Param(jnp.ones(2))",
            "S.kernel: a field has no default; where it may be absent write kernel: ... | None",
        ),
        (
            "def kernel(self): ...",
            "S.kernel: a schema has no methods, as its values stay plain nnx.States; "
            "write a function of the state",
        ),
        (
            "@property\ndef size(self): ...",
            "S.size: a schema has no methods, as its values stay plain nnx.States; "
            "write a function of the state",
        ),
        (
            "@classmethod\ndef make(cls): ...",
            "S.make: a schema has no methods, as its values stay plain nnx.States; "
            "write a function of the state",
        ),
        # Values where types are meant
        (
            "kernel: (nnx.Param[Float[Array, 'n']],)",
            "S.kernel: a tuple where a type was meant: is there a trailing comma?",
        ),
        (
            "kernel: nnx.Param(jnp.ones(2))",
            "S.kernel: an instance of Param: give the class, nnx.Param[...]",
        ),
        (
            "kernel: jnp.ones(2)",
            'S.kernel: an array: give its type, e.g. Float[Array, "din dout"]',
        ),
        (
            "head: nnx.Linear(1, 1, rngs=nnx.Rngs(0))",
            "S.head: an instance of Linear: give the schema of its state",
        ),
        (
            "head: nnx.Linear",
            "S.head: Linear is a module: give the schema of its state, or the class of its leaf",
        ),
        ("kernel: P('a')", "S.kernel: P(...) alone: write Annotated[nnx.Param[...], P(...)]"),
        ("kernel: 5", "S.kernel: 5 is no type that a leaf can have"),
        ("kernel: ...", "S.kernel: Ellipsis is no type that a leaf can have"),
        ("kernel: jnp.ones", "S.kernel: the function ones: give a type"),
        ("kernel: lambda: 0", "S.kernel: the function <lambda>: give a type"),
        ("kernel: type[int]", "S.kernel: type[int] is no type that a leaf can have"),
        # Arrays and dims
        ("kernel: Float", 'S.kernel: Float alone is no array: write Float[Array, "..."]'),
        (
            "kernel: nnx.Param[Float]",
            'S.kernel: Float alone is no array: write Float[Array, "..."]',
        ),
        (
            "kernel: nnx.Param[Float[Array, 'a@2']]",
            "S.kernel: 'a@2' is neither a size, a name nor arithmetic",
        ),
        (
            "kernel: nnx.Param[Float[Array, '{n}']]",
            "S.kernel: '{n}': braces read the arguments of a call; give the size by dims=",
        ),
        (
            "kernel: nnx.Param[nnx.Param]",
            "S.kernel: a Variable holds no Variable: give the type of its value",
        ),
        # Names and keys
        (
            "values: nnx.Param",
            "S.values: nnx.State has a method of that name; write "
            'values_: Annotated[..., Alias("values")]',
        ),
        (
            "filter: nnx.Param",
            "S.filter: nnx.State has a method of that name; write "
            'filter_: Annotated[..., Alias("filter")]',
        ),
        (
            "of: nnx.Param",
            'S.of: nnx.State has a method of that name; write of_: Annotated[..., Alias("of")]',
        ),
        (
            "a: Annotated[nnx.Param, Alias('x')]\nb: Annotated[nnx.Param, Alias('x')]",
            "S.b: the key 'x' is that of S.a too",
        ),
        (
            "a: nnx.Param\nb: Annotated[nnx.Param, Alias('a')]",
            "S.b: the key 'a' is that of S.a too",
        ),
        ("a: Annotated[nnx.Param, Alias]", "S.a: the class Alias: write Alias(...)"),
        ("a: Annotated[nnx.Param, Shared]", "S.a: the class Shared: write Shared(...)"),
        (
            "a: Annotated[nnx.Param, Alias(['x'])]",
            "S.a: Alias(['x']): a key is hashable, e.g. a str",
        ),
        # Sharding
        (
            "a: Annotated[Float[Array, 'n'], P('x')]",
            "S.a: P(...) describes a Variable: a raw leaf has no metadata",
        ),
        (
            "a: Annotated[nnx.Param[Float[Array, 'n']], P('x', 'y')]",
            f"S.a: {P('x', 'y')} has 2 names for 1 axes",
        ),
        # Containers and forms
        (
            "a: list",
            "S.a: list says nothing about its leaves: write list[...], or StateMap[...] for the "
            "entries of an nnx.List or nnx.Dict",
        ),
        (
            "a: List",
            "S.a: list says nothing about its leaves: write list[...], or StateMap[...] for the "
            "entries of an nnx.List or nnx.Dict",
        ),
        (
            "a: Dict",
            "S.a: dict says nothing about its leaves: write dict[...], or StateMap[...] for the "
            "entries of an nnx.List or nnx.Dict",
        ),
        ("a: StateMap[float, LinearState]", "StateMap[float, ...]: the keys are int or str"),
        (
            "a: StateMap[LinearState]",
            "StateMap[LinearState]: wrong arguments; StateMap[int, S]: one level of like "
            "entries, as in nnx.List; or by str keys.",
        ),
        (
            "a: StateMap",
            "S.a: StateMap alone describes nothing: StateMap[int, S]: one level of like "
            "entries, as in nnx.List; or by str keys.",
        ),
        (
            "a: Bind[LinearState]",
            'Bind[LinearState]: wrong arguments; Bind[S, "din=d dout=4*d"]: links, renames and '
            "fixes the dims of a schema.",
        ),
        (
            "a: Bind[nnx.Param, 'n=3']",
            "Bind[Param, 'n=3']: a leaf names its dims itself; Bind takes a schema",
        ),
        (
            "a: Bind[LinearState, 3]",
            'Bind[LinearState, 3]: write the dims as one string, e.g. "din=d dout=4*d"',
        ),
        (
            "a: Bind[LinearState, '4']",
            "Bind[LinearState, '4']: '4' is no dim name; write name or name=size",
        ),
        (
            "a: Bind[LinearState, 'din=3 din=4']",
            "Bind[LinearState, 'din=3 din=4']: 'din' stands there twice",
        ),
        (
            "a: Bind[LinearState, 'din=a+']",
            "Bind[LinearState, 'din=a+']: 'a+' is neither a size, a name nor arithmetic",
        ),
        (
            "a: Bind[StateMap[int, LinearState], 'n=3']",
            "Bind[StateMap[int, LinearState], 'n=3']: the only dim of a StateMap is 'len'",
        ),
        (
            "a: Bind[LinearState, 'dinn=3']",
            "S.a: Bind names the dim 'dinn' that LinearState doesn't have; did you mean 'din'?",
        ),
        (
            "a: Bind[MlpState, 'q=3']",
            "S.a: Bind names the dim 'q' that MlpState doesn't have; it has d, hidden",
        ),
        (
            "a: StateMap[int, Bind[LinearState, 'q=3']]",
            "S.a: Bind names the dim 'q' that LinearState doesn't have; it has din, dout",
        ),
        (
            "a: LinearState[int]",
            "LinearState is not generic: it can't be subscripted",
        ),
        (
            "a: Only",
            "S.a: Only alone describes nothing: Only[S, *filters]: just the leaves that "
            "any of these NNX filters selects.",
        ),
        # Text
        (
            "a: 'nnx.Param[Float'",
            "S.a: the annotation 'nnx.Param[Float' can't be evaluated (SyntaxError: '[' was "
            "never closed (<annotation>, line 1))",
        ),
        (
            "a: 'Float.nope'",
            "S.a: the annotation 'Float.nope' can't be evaluated (AttributeError: type object "
            "'Float' has no attribute 'nope')",
        ),
    ],
)
@pytest.mark.parametrize("before", ["", POSTPONED], ids=["evaluated", "postponed"])
def test_a_mistake_in_a_class_body_is_refused_there(body: str, message: str, before: str) -> None:
    with pytest.raises(SchemaError) as error:
        declare(body, before=before)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "'ignore'",
            "S: extra='ignore' is none of 'forbid', 'allow' and a dict of patterns such as "
            '{"layers_{}": LayerState}',
        ),
        (
            "True",
            "S: extra=True is none of 'forbid', 'allow' and a dict of patterns such as "
            '{"layers_{}": LayerState}',
        ),
        (
            "{'layers': LinearState}",
            "S: extra={'layers': ...} needs braces for what varies, as in \"layers_{}\" or "
            '"layers_{len=n}"; a fixed key is a field',
        ),
        ("{'layers_{}': 5}", "S, extra=: 5 is no type that a leaf can have"),
    ],
)
def test_an_unknown_extra_is_refused(extra: str, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        declare("kernel: nnx.Param", f"TypedState, extra={extra}")
    assert str(error.value) == message


def test_a_name_that_is_never_defined_is_a_mistake_at_first_use() -> None:
    schema = declare("inner: 'Nowhere'")
    for use in (
        lambda: isinstance(nnx.State({}), schema),
        lambda: explain(nnx.State({}), schema),
        lambda: explain(nnx.State({}), Only[schema, nnx.Param]),
    ):
        with pytest.raises(SchemaError) as error:
            use()
        assert str(error.value) == (
            "S.inner: name 'Nowhere' is not defined; define or import it "
            "(not only under TYPE_CHECKING)"
        )
    assert not isinstance(None, schema)


@pytest.mark.parametrize(
    ("before", "inner"),
    [
        ("", "'Bind[Second, \"width=3\"]'"),
        ("", "Bind['Second', \"width=3\"]"),
        (POSTPONED, 'Bind[Second, "width=3"]'),
        (POSTPONED, "'Bind[Second, \"width=3\"]'"),
        (POSTPONED, "Bind['Second', \"width=3\"]"),
    ],
)
def test_a_bind_of_a_dim_that_a_later_schema_lacks_is_refused_when_that_is_defined(
    before: str, inner: str
) -> None:
    names: dict[str, Any] = {}
    run(f"{before}class First(TypedState):\n    inner: {inner}", names)
    with pytest.raises(SchemaError) as error:
        run("class Second(TypedState):\n    kernel: nnx.Param[Float[Array, 'wide']]", names)
    assert str(error.value) == (
        "First.inner: Bind names the dim 'width' that Second doesn't have; did you mean 'wide'?"
    )
    with pytest.raises(SchemaError):
        explain(nnx.State({}), names["First"])
    run("class Third(TypedState):\n    kernel: nnx.Param", names)  # said once, not forever


def test_a_bind_at_a_boundary_is_looked_at_too() -> None:
    with pytest.raises(SchemaError) as error:
        explain(nnx.State({}), Bind[LinearState, "q=3"])
    assert str(error.value) == (
        "Bind[LinearState, 'q=3']: Bind names the dim 'q' that LinearState doesn't have; "
        "it has din, dout"
    )


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (
            (LinearState,),
            "(LinearState,): a tuple where a type was meant: is there a trailing comma?",
        ),
        (
            Entries,
            "Entries alone describes nothing: Entries[StemState, None, NormState]: int "
            "keys by position; None keeps nothing.",
        ),
    ],
    ids=["tuple", "form"],
)
def test_a_hint_that_means_nothing_is_refused_by_check(hint: Any, message: str) -> None:
    with pytest.raises(SchemaError) as error:
        check(nnx.State({}), hint)
    assert str(error.value).replace(repr(LinearState), "LinearState") == message


def test_a_schema_makes_no_instances_but_checks_a_mapping() -> None:
    for wrong in (lambda: LinearState(), lambda: LinearState({}, {}), lambda: LinearState(a=1)):
        with pytest.raises(TypeError) as error:
            wrong()
        assert str(error.value) == "LinearState takes one mapping of keys to leaves"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax of PEP 695")
def test_a_generic_schema_counts_its_arguments() -> None:
    names: dict[str, Any] = {}
    run("class Pair[A, B](TypedState):\n    a: A\n    b: B", names)
    with pytest.raises(SchemaError) as error:
        names["Pair"][LinearState]
    assert str(error.value) == "Pair takes 2 types, got 1"


def test_schema_errors_are_type_errors() -> None:
    assert issubclass(SchemaError, TypeError)
