"""The metaclass of forms: subscription gives a hint class, held weakly."""

from __future__ import annotations

import copyreg
import typing
from collections.abc import Callable
from typing import Any, ClassVar, assert_never, cast

from .._annotations.context import Context
from .._annotations.deferred import Deferred, is_open, show_argument
from .._annotations.parse import parse
from .._spec import dim_grammar
from .._spec.describe import describe
from .._spec.dims import Expr
from .._spec.filters import show_filter
from .._spec.node_groups import LevelSpec, StateSpec, ValueSpec, WrapperSpec
from .._spec.nodes import Anything, FlatSpec, Spec, Union
from ..errors import SchemaError
from ..schema.hint_class import HintMeta, make, reduced


class FormMeta(HintMeta):
    """The metaclass of forms: subscription makes a hint class."""

    __typedstate_hints__: int | None
    #: Whether a tree in the form has the same keys as the tree without it.
    __typedstate_keeps_keys__: ClassVar[bool] = False
    #: Whether the form applies to a state without schema, e.g. ``Pure[nnx.State]``.
    __typedstate_of_states__: ClassVar[bool] = False

    def __getitem__(cls, items: Any) -> Any:
        """The hint class of the form with these arguments."""
        if cls.__dict__.get("__typedstate_form__") is None:
            raise SchemaError(f"{cls.__name__} is complete: it can't be subscripted again")
        args: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        args = tuple(
            typing.ForwardRef(arg) if isinstance(arg, str) and cls.takes_hint(index) else arg
            for index, arg in enumerate(args)
        )
        if any(is_open(arg) for index, arg in enumerate(args) if cls.takes_hint(index)):
            return Deferred(cls, args)
        name = f"{cls.__name__}[{', '.join(show_form_argument(arg) for arg in args)}]"
        apply: Callable[..., Spec] = cls.__dict__["__typedstate_form__"].__func__
        try:
            spec = apply(*_parsed(cls, name, args))
        except TypeError as error:
            if isinstance(error, SchemaError) or error.__traceback__ is None:
                raise
            if error.__traceback__.tb_next is not None:  # from within the form's own code
                raise
            usage = (cls.__doc__ or "").splitlines()[0].replace("``", "")
            raise SchemaError(f"{name}: wrong arguments; {usage}") from None
        key: tuple[Any, ...] = (cls, args)
        try:
            hash(key)
        except TypeError:  # a list of filters
            key = (cls, id(spec))
        found = make(name, key, lambda: spec, cls)
        found.__typedstate_written__ = (cls, args)
        return found

    def takes_hint(cls, index: int) -> bool:
        """Whether an argument is a hint; the others are names, sizes, filters."""
        first: int = getattr(cls, "__typedstate_first__", 0)
        count: int | None = getattr(cls, "__typedstate_count__", 1)
        return index >= first and (count is None or index < first + count)


copyreg.pickle(cast(Any, FormMeta), reduced)


def _parsed(cls: FormMeta, name: str, args: tuple[Any, ...]) -> list[Any]:
    context = Context(name)
    hints = cls.takes_hint
    return [parse(arg, context) if hints(i) else arg for i, arg in enumerate(args)]


def show_form_argument(arg: Any) -> str:
    """An argument of a form as its user wrote it."""
    if isinstance(arg, str) or arg is None:
        return repr(arg)
    return show_argument(arg) if isinstance(arg, type) or arg is ... else _show_other(arg)


def _show_other(arg: Any) -> str:
    text = show_filter(arg) if not typing.get_origin(arg) else show_argument(arg)
    return text if len(text) <= 80 else f"{text[:77]}..."


def parse_size(text: Any, owner: str) -> Expr[str]:
    """Parses an argument that is a size, a name or an expression; `owner` is for messages."""
    try:
        return dim_grammar.parse_expr(str(text))
    except dim_grammar.DimError as error:
        raise SchemaError(f"{owner}: {error}") from None


def is_tree(spec: Spec) -> bool:
    """Whether every value that fits a spec is a tree of leaves."""
    match spec:
        case LevelSpec():
            return True
        case WrapperSpec():
            return is_tree(spec.inner)
        case Union(options):
            return all(is_tree(option) for option in options)
        case Anything() | ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(spec)


def want_tree(spec: Spec, form: str) -> Spec:
    """The spec of a tree; raises SchemaError for a leaf, of which the form can't be made."""
    if isinstance(spec, FlatSpec):
        inner, end = describe(spec.inner), describe(spec)[len(f"Flat[{describe(spec.inner)}") :]
        text = f"{form}[{describe(spec)}, ...]: Flat goes outside; write"
        raise SchemaError(f"{text} Flat[{form}[{inner}, ...]{end}")
    within: Spec = spec
    while isinstance(within, WrapperSpec):
        within = within.inner
    if not is_tree(spec) and not isinstance(within, Anything):
        raise SchemaError(f"{form}[{describe(spec)}, ...]: a form takes a schema, not a leaf")
    return spec
