"""Forms of a type variable, or of a name that is not defined yet."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from flax import nnx
from msgspec.structs import replace

from .._spec.describe import class_name, describe
from .._spec.nodes import SameSpec, Spec
from .._spec.questions import parts
from .array_hints import array, is_jaxtyped, is_tree
from .context import Braces, Context
from .parse import parse


class Deferred:
    """A form applied to a type variable or to a name that is not there yet.

    It becomes a spec where the generic schema is subscripted or the name is looked up.
    """

    def __init__(self, form: Any, args: tuple[Any, ...]) -> None:
        """Keeps the form and its arguments."""
        self.form = form
        self.args = args
        self.__parameters__ = tuple(dict.fromkeys(_type_variables(args)))

    def __typedstate_spec__(self, context: Context) -> Spec:
        """The form's spec, once its arguments have one."""
        args = _arguments(self, context)
        # type variables that are left are those of the class itself, not of a base
        spec = parse(self.form[args], replace(context, typevars={}))
        var = self.structure_of() if context.boundary else None
        return spec if var is None or var in context.typevars else one_structure(spec, var)

    def structure_of(self) -> TypeVar | None:
        """The type variable whose trees have the same keys as those of this form."""
        if not getattr(self.form, "__typedstate_keeps_keys__", False):
            return None
        inner = self.args[0]
        if isinstance(inner, Deferred):
            return inner.structure_of()
        return inner if isinstance(inner, TypeVar) else None

    def __getitem__(self, items: Any) -> Any:
        """Puts types in the place of the type variables."""
        given: tuple[Any, ...] = cast(Any, items if isinstance(items, tuple) else (items,))
        table = dict(zip(self.__parameters__, given, strict=True))
        return self.form[tuple(substitute(arg, table) for arg in self.args)]

    def __or__(self, other: Any) -> Any:
        """A union."""
        return typing.Union[self, other]  # noqa: UP007

    def __ror__(self, other: Any) -> Any:
        """A union."""
        return typing.Union[other, self]  # noqa: UP007

    def __call__(self) -> Any:
        """Never: ``typing`` wants types to be callable."""
        raise TypeError(f"{self!r} is a hint")

    def __repr__(self) -> str:
        """As its user wrote it."""
        return f"{self.form.__name__}[{', '.join(map(show_argument, self.args))}]"


def one_structure(spec: Spec, var: TypeVar) -> SameSpec:
    """The spec of a type variable at a boundary: all its values in one call have the same keys."""
    return SameSpec(spec, f"~{var.__name__}", "keys")


def of_variable(hint: Any, specs: Iterable[Spec], context: Context) -> Spec | None:
    """The spec of a bare type variable beside hints that are forms of it; else None."""
    if not isinstance(hint, TypeVar):
        return None
    found = one_structure(parse(hint, context), hint)
    return found if any(_is_in(found, spec) for spec in specs) else None


def _is_in(same: SameSpec, spec: Spec) -> bool:
    if isinstance(spec, SameSpec) and spec.group == same.group:
        return True
    return any(_is_in(same, part) for part in parts(spec))


def is_open(arg: Any) -> bool:
    """Whether an argument of a form can't be parsed before a name or type is known."""
    return isinstance(arg, TypeVar | Deferred | typing.ForwardRef) or bool(
        getattr(arg, "__parameters__", ()) and not isinstance(arg, type)
    )


def _type_variables(args: tuple[Any, ...]) -> list[TypeVar]:
    found: list[TypeVar] = []
    for arg in args:
        found += [arg] if isinstance(arg, TypeVar) else getattr(arg, "__parameters__", ())
    return found


def _arguments(deferred: Deferred, context: Context) -> tuple[Any, ...]:
    """The arguments of a form; an unknown type variable is a state, if the form takes states."""
    first, *rest = deferred.args
    of_states = context.boundary and getattr(deferred.form, "__typedstate_of_states__", False)
    is_unknown = isinstance(first, TypeVar) and first not in context.typevars
    if of_states and is_unknown and first.__bound__ is None:
        first = nnx.State
    return tuple(_resolved(arg, context) for arg in (first, *rest))


def _resolved(arg: Any, context: Context) -> Any:
    """An argument with its names looked up and its type variables replaced."""
    if isinstance(arg, TypeVar):
        return context.typevars.get(arg, arg.__bound__ or Any)
    if isinstance(arg, typing.ForwardRef):
        return context.resolve(arg.__forward_arg__)
    if isinstance(arg, Deferred):
        return arg.form[_arguments(arg, context)]
    if is_open(arg):
        return arg[tuple(context.typevars.get(var, Any) for var in arg.__parameters__)]
    return arg


def substitute(arg: Any, table: dict[TypeVar, Any]) -> Any:
    """An argument with types in the place of type variables."""
    if isinstance(arg, TypeVar):
        return table.get(arg, arg)
    if isinstance(arg, Deferred):
        return arg.form[tuple(substitute(inner, table) for inner in arg.args)]
    if is_open(arg) and not isinstance(arg, typing.ForwardRef):
        return arg[tuple(table.get(var, var) for var in arg.__parameters__)]
    return arg


def is_written_out(hint: Any) -> bool:
    """Whether a hint is shown as it was written, as forms and unions are."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return is_union or (hasattr(hint, "__typedstate_spec__") and isinstance(hint, type))


def show_argument(arg: Any) -> str:
    """An argument of a subscription as its user wrote it."""
    if isinstance(arg, typing.ForwardRef):
        return repr(arg.__forward_arg__)
    if arg is Ellipsis:
        return "..."
    if isinstance(arg, TypeVar):
        return arg.__name__
    origin, args = typing.get_origin(arg), typing.get_args(arg)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(show_argument, args))
    if isinstance(origin, type) and args:
        return f"{origin.__name__}[{', '.join(map(show_argument, args))}]"
    if isinstance(arg, type):
        if is_jaxtyped(arg):
            return describe(array(arg, Context("", braces=Braces(others="0"))))
        if is_tree(arg):
            structure = arg.structure and f", {arg.structure!r}"
            return f"PyTree[{show_argument(arg.leaftype)}{structure or ''}]"
        return "None" if arg is types.NoneType else class_name(arg)
    return repr(arg).replace("typing.", "")
