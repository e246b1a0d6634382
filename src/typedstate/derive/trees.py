"""Trees derived from a declaration: `abstract`, `specs` and `shardings`.

A point that the schema leaves open (a size, a dtype, the presence of an optional leaf) is never
guessed: a `SchemaError` names it, and the argument that would decide it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast, overload

from typing_extensions import TypeForm

from .._annotations.spec_of import name_of, spec_of
from .._compat import modules, scalars
from .._sharding.axis_names import Rules
from .._spec.questions import outermost_names
from .._spec.written_dims import written_names
from ..errors import SchemaError
from ..forms import Abstract, Shardings, Specs
from .builder import Builder, Make
from .makers import DTYPE, SHOWN, AbstractMaker, OpenChoice, Partitioner
from .sites import ABSENT

T = TypeVar("T")


@overload
def abstract(  # pyright: ignore[reportOverlappingOverload]
    hint: TypeForm[dict[str, Any]],
    *,
    mesh: Any = None,
    rules: Rules | None = None,
    dtype: Any = None,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> dict[str, Any]: ...


@overload
def abstract(
    hint: TypeForm[T],
    *,
    mesh: Any = None,
    rules: Rules | None = None,
    dtype: Any = None,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Abstract[T]: ...


def abstract(
    hint: Any,
    *,
    mesh: Any = None,
    rules: Rules | None = None,
    dtype: Any = None,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Any:
    """A tree of ``jax.ShapeDtypeStruct`` that fits ``Abstract[hint]``.

    ``jax.eval_shape``, ``nnx.merge`` and orbax's restore take it::

        abstract(ModelState, d=64, layers=2, dtype=jnp.float32, mesh=mesh)

    Args:
      hint: a schema or a form of one.
      mesh: the mesh of each array's ``NamedSharding``, by its declared axis names; without,
        arrays have no sharding.
      rules: axis rules for logical names; without, those of the context.
      dtype: the dtype of leaves whose hint, e.g. ``Float``, leaves it open. Of several dtypes,
        each leaf takes the first that fits it.
      choices: decides other open points, by path: ``{"blocks[*].up.bias": False}`` leaves out
        an optional leaf; others are a number of entries, keys, or an alternative of a union
        as it is written. ``[*]`` stands for every entry, ``"*.bias"`` for a name at any depth.
      like: a state or module that decides presence, sizes and dtypes.
      dims: sizes by name, for names that can't be keywords.
      sizes: sizes of the hint's dims, and of dims of inner schemas without a `Bind`; a tuple
        for ``*name``. Symbolic sizes of ``jax.export.symbolic_shape`` are allowed.

    Raises:
      SchemaError: a point is open, or the names do not fit the mesh; it lists all faults.
    """
    title = f"abstract({name_of(hint)})"
    maker = AbstractMaker(Partitioner(mesh, rules), _dtypes(dtype))
    return _build(title, hint, maker, choices, like, {**(dims or {}), **sizes}, alike=False)


@overload
def specs(  # pyright: ignore[reportOverlappingOverload]
    hint: TypeForm[dict[str, Any]],
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> dict[str, Any]: ...


@overload
def specs(
    hint: TypeForm[T],
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Specs[T]: ...


def specs(
    hint: Any,
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Any:
    """A tree of ``PartitionSpec`` by the declared axis names; ``P()`` for a leaf without any.

    Each Variable is replaced by one spec, so the tree is a prefix of the state:
    ``with_sharding_constraint``, and under a mesh ``in_shardings``, take it whatever metadata
    the Variables have. The arguments are those of `abstract`; of the sizes, only those matter
    that are a number of entries.

    Raises:
      SchemaError: a point is open, or a leaf has more names than axes; it lists all faults.
    """
    title = f"specs({name_of(hint)})"
    maker = Partitioner(None, rules)
    return _build(title, hint, maker, choices, like, {**(dims or {}), **sizes}, alike=True)


@overload
def shardings(  # pyright: ignore[reportOverlappingOverload]
    hint: TypeForm[dict[str, Any]],
    mesh: Any,
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> dict[str, Any]: ...


@overload
def shardings(
    hint: TypeForm[T],
    mesh: Any,
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Shardings[T]: ...


def shardings(
    hint: Any,
    mesh: Any,
    rules: Rules | None = None,
    *,
    choices: Mapping[str, OpenChoice] | None = None,
    like: Any = None,
    dims: Mapping[str, Any] | None = None,
    **sizes: Any,
) -> Any:
    """A tree of ``NamedSharding`` on a mesh, for ``jax.device_put`` and ``jax.jit``.

    The arguments are those of `specs`; given sizes must be divisible by the mesh.

    Raises:
      SchemaError: a point is open, or names do not fit the mesh; it lists all faults.
    """
    title = f"shardings({name_of(hint)})"
    maker = Partitioner(mesh, rules)
    return _build(title, hint, maker, choices, like, {**(dims or {}), **sizes}, alike=True)


def _dtypes(dtype: Any) -> tuple[Any, ...]:
    if dtype is None:
        return ()
    given = cast(Sequence[Any], dtype if isinstance(dtype, tuple | list) else (dtype,))
    return tuple(DTYPE(item) for item in given)


def _size(title: str, name: str, size: Any) -> Any:
    """A given size as an int, or those of a run of axes as a tuple; symbolic ones as they are."""
    if isinstance(size, tuple | list):
        return tuple(_size(title, name, item) for item in cast(Sequence[Any], size))
    if scalars.is_symbolic_size(size):
        return size
    try:
        return operator.index(size)
    except TypeError:
        raise SchemaError(f"{title}: {name}={size!r} is no size; give an int") from None


def _build(
    title: str,
    hint: Any,
    make: Make,
    choices: Mapping[str, OpenChoice] | None,
    like: Any,
    given: Mapping[str, Any],
    *,
    alike: bool,
) -> Any:
    spec = spec_of(hint)
    outermost = outermost_names(spec)
    known = dict.fromkeys([*outermost, *written_names(spec)])
    for name in given:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none"
            raise SchemaError(f"{title}: there is no dim {name!r}; {there}")
    follows = like is not None
    if follows and modules.is_module(like):
        like = modules.module_tree(like).mapping
    sizes = {name: _size(title, name, size) for name, size in given.items() if size is not None}
    builder = Builder(make, choices or {}, sizes, frozenset(outermost), follows, alike)
    try:
        found = builder.root(spec, like if follows else ABSENT)
    except RecursionError:
        deep = (
            "like= is nested too deeply to read"
            if follows
            else "the schema, with these choices, is nested too deeply"
        )
        raise SchemaError(f"{title} can't be made: {deep}") from None
    if builder.faults:
        lines = [f"  {line}" for line in list(builder.faults)[:SHOWN]]
        more = len(builder.faults) - len(lines)
        lines += [f"  and {more} more"] * (more > 0)
        raise SchemaError("\n".join([f"{title} can't be made:", *lines]))
    return found
