"""Annotations that Python evaluates when they are asked for, as from Python 3.14 on.

On an older Python the evaluation is emulated: the text of an annotation, as
``from __future__ import annotations`` leaves it, is evaluated when it is asked for.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import types
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, ForwardRef

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.annotations import later_names
from tests.zoo import leaf
from typedstate import Bind, SchemaError, StateTypeError, TypedState, check, checked, explain
from typedstate._annotations import lazy_annotations
from typedstate._annotations.lazy_annotations import annotations_of, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping as NotThere


class Format(enum.Enum):
    VALUE = 1
    FORWARDREF = 3
    STRING = 4


class Names(dict[str, Any]):
    """Names for evaluation: one that is missing is a forward reference."""

    def __missing__(self, name: str) -> Any:
        if hasattr(__builtins__, name) or name in vars(__import__("builtins")):
            raise KeyError(name)
        return ForwardRef(name)


def get_annotations(owner: Any, *, format: Format = Format.VALUE) -> dict[str, Any]:
    """What the library of Python 3.14 gives, of texts."""
    texts = dict(vars(owner) if isinstance(owner, type) else {"__annotations__": {}})
    found = texts.get("__annotations__", {}) if isinstance(owner, type) else owner.__annotations__
    names = dict(vars(sys.modules[owner.__module__]))
    if isinstance(owner, types.FunctionType):
        cells = zip(owner.__code__.co_freevars, owner.__closure__ or (), strict=True)
        names |= {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}
    if format is Format.STRING:
        return dict(found)
    if format is Format.FORWARDREF:
        return {name: with_references(text, names) for name, text in found.items()}
    return {
        name: eval(text, {}, names) if isinstance(text, str) else text
        for name, text in found.items()
    }


def with_references(text: Any, names: dict[str, Any]) -> Any:
    try:
        return eval(text, {}, Names(names)) if isinstance(text, str) else text
    except TypeError:  # Python's own references take `[...]` and `|`, and are one then
        return ForwardRef(text)


@pytest.fixture(autouse=True)
def python_3_14(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.version_info < (3, 14):
        library = types.SimpleNamespace(get_annotations=get_annotations, Format=Format)
        monkeypatch.setattr(lazy_annotations, "LIBRARY", library)
        real = inspect.signature

        def signature(function: Any, *, annotation_format: Any = None, **options: Any) -> Any:
            assert annotation_format is Format.STRING
            return real(function, **options)

        asked = types.SimpleNamespace(signature=signature)
        monkeypatch.setattr(lazy_annotations, "inspect", asked)


def linear(size: int = 3) -> nnx.State[Any, Any]:
    return nnx.State({"kernel": leaf(nnx.Param, jnp.zeros((2, size)))})


@checked
def scale(state: LaterState) -> LaterState:
    return state


@checked
def named(state: LaterState, by: NotThere) -> LaterState:
    return state


class LaterState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
    kinds: ClassVar[list[int]]
    later: ClassVar[NeverDefined]  # type: ignore[name-defined]


def test_what_can_be_evaluated_is() -> None:
    def known(x: int, y: Annotated[int, "size"]) -> list[float]:
        return [x / y]

    assert annotations_of(known) == {"x": int, "y": Annotated[int, "size"], "return": list[float]}


def test_what_can_not_is_its_text_and_the_rest_is_evaluated() -> None:
    def open_(x: int, y: list[Missing]) -> None: ...  # type: ignore[name-defined]

    found = annotations_of(open_)
    assert (found["x"], found["y"]) == (int, "list[Missing]")
    assert found["return"] is None


def test_class_variables_are_no_fields() -> None:
    assert list(fields_of(LaterState)) == ["kernel"]
    assert not explain(linear(), LaterState).violations


def test_a_schema_that_is_defined_later_is_enforced() -> None:
    state = linear()
    assert scale(state) is state
    with pytest.raises(StateTypeError, match=r"kernel: missing"):
        scale(nnx.State({}))


def test_a_name_for_type_checkers_alone_is_said_at_the_first_call() -> None:
    words = r"^named\(\): name 'NotThere' is not defined; define or import it$"
    with pytest.raises(SchemaError, match=words):
        named(linear(), {})


def test_a_methods_own_class_and_a_name_that_comes_later_in_its_function() -> None:
    class Owner:
        @checked
        def join(self, other: Owner, state: InnerState) -> Owner:
            return other if isinstance(state, InnerState) else Owner()  # both in its closure

    class InnerState(TypedState):
        kernel: nnx.Param[Float[Array, "2 n"]]

    owner = Owner()
    assert owner.join(owner, linear()) is owner
    with pytest.raises(StateTypeError, match=r"kernel: missing"):
        owner.join(owner, nnx.State({}))


@checked
@dataclasses.dataclass
class Holder:
    state: AfterState
    size: int


class AfterState(TypedState):
    inner: Bind[LaterState, "dout=3"]


def test_a_dataclass_with_a_field_of_a_later_class() -> None:
    good = nnx.State({"inner": linear()})
    assert Holder(good, 3).state is good
    with pytest.raises(StateTypeError, match="expected 3 on axis 1, found 4"):
        Holder(nnx.State({"inner": linear(4)}), 3)


def test_a_schema_whose_field_is_defined_later() -> None:
    class Outer(TypedState):
        inner: AfterwardsState

    class AfterwardsState(TypedState):
        kernel: nnx.Param[Float[Array, "2 n"]]

    good = nnx.State({"inner": linear()})
    assert check(good, Outer) is good


def test_names_that_come_later_or_never() -> None:
    later_names.check(lazy_annotations)
