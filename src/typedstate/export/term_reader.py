"""`TermReader`: reads classes, keys, filters, axis names and dims of a document.

`document_reader` and `form_reader` use it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, Protocol, cast

import jaxtyping
import msgspec
from flax import nnx
from flax.nnx import filterlib
from jax.sharding import PartitionSpec

from .._compat.storage import Storage
from .._sharding import axis_names
from .._spec import dim_grammar, dims
from .._spec.describe import describe
from .._spec.dims import Dim, Expr, SingleDim, VariadicDim
from .._spec.filters import Wildcard
from .._spec.leaf_conditions import Predicate
from .._spec.nodes import Anything, Leaf
from ..errors import SchemaError
from ..forms.likeness import OfDtypes, OfKinds
from ..forms.replacing import OF_ANY_LEAF
from . import document_terms as t
from .known_classes import KnownClasses

_PathIn: Final[Any] = getattr(filterlib, "PathIn", None)
_KEY_CLASSES: Final = {"int": int, "str": str, "object": object}


class TermReader(msgspec.Struct, frozen=True):
    """Reads the small parts of one document.

    Attributes:
      known: the classes and other objects by name.
    """

    known: KnownClasses

    def _unknown(self, where: str, what: str, name: str) -> SchemaError:
        return error_at(where, f"the {what} {name} is unknown; give kinds={{{name!r}: it}}")

    def find_class(self, name: str, where: str) -> Any:
        """The class of a name; raises SchemaError if the name is unknown or no class."""
        try:
            found = self.known.find(name)
        except KeyError:
            raise self._unknown(where, "class", name) from None
        if not isinstance(found, type):
            raise error_at(where, f"{name} is no class")
        return found

    def kind(self, name: str, where: str) -> type:
        """The Variable class of a name."""
        found = self.find_class(name, where)
        if not issubclass(found, nnx.Variable):
            raise error_at(where, f"{name} is no class of Variables")
        return cast(type, found)

    def dtype(self, part: t.DtypePart, where: str) -> tuple[str, tuple[Any, ...] | None]:
        """A dtype class: its name, and the names of its dtypes; None for any dtype."""
        if part.dtypes is not None:
            return part.name, tuple(part.dtypes)
        if part.name in ("", "Shaped"):
            return "", None
        found = self.known.given.get(part.name) or vars(jaxtyping).get(part.name)
        if not (isinstance(found, type) and issubclass(found, jaxtyping.AbstractDtype)):
            raise self._unknown(where, "dtype class", part.name)
        return part.name, tuple(cast(Any, found).dtypes)

    def validators(self, names: Iterable[t.Validator], where: str) -> tuple[Predicate, ...]:
        """The predicates of the validators with these names."""
        found: list[Predicate] = []
        for name in names:
            if isinstance(name, t.DtypeCondition | t.KindCondition):
                found.append(self._condition(name, where))
                continue
            item = self.known.given.get(name)
            if item is None and name in OF_ANY_LEAF:
                found.append(OF_ANY_LEAF[name])
                continue
            if not callable(getattr(item, "is_valid", None)):
                raise self._unknown(where, "validator", name)
            found.append(Predicate(name, cast(Any, item).is_valid))
        return tuple(found)

    def _condition(self, part: t.DtypeCondition | t.KindCondition, where: str) -> Predicate:
        """What a form asks of every leaf of a tree of which nothing is declared."""
        if isinstance(part, t.DtypeCondition):
            name, dtypes = self.dtype(part.dtype, where)
            return Predicate(f"dtype {name}", OfDtypes(dtypes or ()))
        kinds = tuple((self.kind(one.kind, where), one.exact) for one in part.kinds)
        shown = (describe(Leaf(kind, Anything(), exact)) for kind, exact in kinds)
        return Predicate(" | ".join(shown), OfKinds(kinds), reads_kind=True)

    def find_callable(self, name: str, what: str, where: str) -> Any:
        """The function of a name; `what` names its use in messages."""
        item = self.known.given.get(name)
        if not callable(item):
            raise self._unknown(where, what, name)
        return item

    def key(self, key: Any) -> Any:
        """A key of a state or of a mapping, or a value of ``Literal``."""
        match key:
            case t.TupleKey(tuple=items):
                return tuple(map(self.key, items))
            case t.BytesKey(bytes=digits):
                return bytes.fromhex(digits)
            case _:
                return key

    def path_key(self, key: Any) -> Hashable:
        """A key of a path, which may stand for every key of a class."""
        if isinstance(key, t.AnyKey):
            return Wildcard(_KEY_CLASSES[key.any])
        return cast(Hashable, self.key(key))

    def rules(self, rules: Any, where: str) -> Any:
        """Rules for logical names of axes."""
        if isinstance(rules, t.CallableRules):
            return self.find_callable(rules.callable, "function", where)
        return None if rules is None else axis_names.as_rules(rules)

    def filters(self, parts: Iterable[t.FilterPart], where: str) -> tuple[Any, ...]:
        """NNX filters, each by `filter`."""
        return tuple(self.filter(part, where) for part in parts)

    def filter(self, part: t.FilterPart, where: str) -> Any:
        """An NNX filter."""
        match part:
            case t.OfClass(cls=cls):
                return self.find_class(cls, where)
            case t.OfTag(tag=tag):
                return tag
            case t.Everything():
                return ...
            case t.Nothing():
                return None
            case t.AnyOf(of=of, group=group):
                inner = self.filters(of, where)
                return inner if group else filterlib.Any(*inner)
            case t.AllOf(of=of):
                return filterlib.All(*self.filters(of, where))
            case t.NotOf(of=of):
                return filterlib.Not(self.filter(of, where))
            case t.WithKey(key=key, exact=exact):
                wanted = self.key(key)
                if exact:
                    return nnx.PathContains(wanted)
                return cast(Any, nnx.PathContains)(wanted, exact=False)
            case t.AtPaths(paths=paths):
                if _PathIn is None:
                    raise error_at(where, "this Flax has no filter by whole paths")
                return _PathIn(*(tuple(map(self.key, path)) for path in paths))
            case t.Callable(name=name):
                return self.find_callable(name, "filter", where)


def error_at(where: str, text: str) -> SchemaError:
    """A SchemaError with the position in the document."""
    return SchemaError(f"schema document, {where}: {text}")


# -- Dims ----------------------------------------------------------------------------------


def links_of(links: Mapping[str, Any]) -> tuple[tuple[str, Expr[str]], ...]:
    """The dims of a `Bind`."""
    return tuple((name, size_of(size)) for name, size in links.items())


def size_of(part: Any) -> Expr[str]:
    """A size, as an expression over names."""
    match part:
        case t.HiddenName(name=name):
            return dims.Name(name)
        case t.Operation(op="+" | "-" as op, left=left, right=right):
            return dims.Sum(size_of(left), size_of(right), 1 if op == "+" else -1)
        case t.Operation(op="*", left=left, right=right):
            return dims.Product(size_of(left), size_of(right))
        case t.Operation(op=op, left=left, right=right):
            return dims.Opaque(op, size_of(left), size_of(right))
        case _:
            return dim_grammar.parse_expr(part)


def shape_of(shape: Any, where: str) -> tuple[Dim, ...] | None:
    """A shape; raises SchemaError if it has two runs of axes."""
    if shape is None:
        return None
    if isinstance(shape, str):
        return dim_grammar.parse_shape(shape)
    found = tuple(map(_dim, shape))
    if sum(isinstance(dim, VariadicDim) for dim in found) > 1:
        raise error_at(where, "a shape has one run of axes at most")
    return found


def _dim(part: Any) -> Dim:
    if isinstance(part, t.AxisPart):
        return axis_of(part)
    return VariadicDim(part.name, part.broadcast, part.per_leaf)


def axis_of(part: t.AxisPart) -> SingleDim:
    """One axis of a shape."""
    size = None if part.size is None else size_of(part.size)
    return SingleDim(part.text, size, part.broadcast, part.per_leaf)


def axes_of(names: Any) -> tuple[Any, ...] | None:
    """Names of mesh axes, one entry for each axis of an array."""
    return None if names is None else tuple(map(_axis_name, names))


def _axis_name(name: Any) -> Any:
    match name:
        case t.RestOfAxes():
            return ...
        case t.AnyAxis():
            return PartitionSpec.UNCONSTRAINED
        case _:
            return name


class _Stored(Protocol):
    @property
    def memory_kind(self) -> str | None: ...
    @property
    def unreduced(self) -> tuple[str, ...]: ...
    @property
    def reduced(self) -> tuple[str, ...]: ...


def storage_of(part: _Stored) -> Storage:
    """The memory and the sums that a part says."""
    return Storage(part.memory_kind, frozenset(part.unreduced), frozenset(part.reduced))
