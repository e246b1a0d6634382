"""`Raw`: the state that an optax transformation returns, before ``nnx.Optimizer`` wraps it."""

from typing import TYPE_CHECKING, Any, Final, TypeVar, assert_never

import jax
import optax  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
from flax import nnx
from flax.nnx.training.optimizer import OptArray
from msgspec.structs import replace
from optax import contrib  # pyright: ignore[reportMissingTypeStubs]
from typing_extensions import TypeAliasType

from .._spec.describe import describe
from .._spec.leaf_conditions import Predicate
from .._spec.node_groups import StateSpec, ValueSpec
from .._spec.nodes import (
    Anything,
    Argument,
    Bound,
    EntriesSpec,
    Field,
    Instance,
    Leaf,
    Map,
    MappingOf,
    Node,
    NoValue,
    RecordOf,
    Schema,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .._spec.rewrite import rewrite
from ..errors import SchemaError
from ..forms.form_class import FormMeta
from ..forms.likeness import Resembling
from ..schema.class_ref import ClassRef
from ..schema.typed_state import SchemaMeta

_NAMES: Final = {
    "Masked": ("MaskedState",),
    "MultiTransform": ("PartitionState", "MultiTransformState"),
    "Lookahead": ("LookaheadState",),
    "Injected": ("InjectStatefulHyperparamsState", "InjectHyperparamsState"),
    "MultiSteps": ("MultiStepsState",),
    "ApplyIfFinite": ("ApplyIfFiniteState",),
    "Conditional": ("ConditionallyTransformState",),
    "ScheduleFree": ("ScheduleFreeState",),
    "LinesearchInfoState": ("ZoomLinesearchInfo",),
}


def raw(spec: Spec) -> Spec:
    """Turns the spec of an optimizer's state into one of optax's own tuples and dicts."""
    match spec:
        case Node(ClassRef() as ref):
            return Within(_record(ref, ref.resolve()), ref)
        case Bound(Node(ClassRef()) as inner, links):
            return Bound(raw(inner), links)
        case Argument(inner=inner):
            return replace(spec, inner=raw(inner))
        case EntriesSpec(items):
            return TupleOf(tuple(_EMPTY if item is None else raw(item) for item in items))
        case Map(entry=entry) if not _of_parameters(entry):
            return MappingOf(dict, Instance(str), Union((raw(entry), _EMPTY)))
        case Union(options):
            return Union(tuple(raw(option) for option in options))
        case NoValue():
            return _EMPTY
        case Leaf(kind=kind, value=value) if kind is OptArray:
            return Union((value, spec))  # a live optimizer holds the tuples of optax with its own
        case StateOfSpec(Leaf(kind=kind)) if kind is OptArray:
            return _ANY
        case Anything() | ValueSpec() | StateSpec():
            found = rewrite(spec, _ANY_KIND)
            assert found is not None
            return found
        case _:
            assert_never(spec)


def _record(ref: ClassRef, schema: Schema) -> Spec:
    if schema.fields and all(isinstance(field.key, int) for field in schema.fields):
        return _chain(schema.fields)
    if not any(_is_ours(base) for base in ref.cls.__mro__):
        return _fields(dict, schema.fields)  # a schema of one's own, for optax.named_chain
    cls = _tuple_class(ref.cls)
    by_name = _fields(tuple, schema.fields)
    if cls is None:
        return by_name
    there = tuple(field for field in schema.fields if field.key in getattr(cls, "_fields", ()))
    found = _fields(cls, there)
    # a variant with more fields, such as bias correction's count, is a class that optax hides
    return found if len(there) == len(schema.fields) else Union((found, by_name))


def _fields(cls: type, fields: tuple[Field, ...]) -> RecordOf:
    specs = tuple(
        (str(field.key), _field(field) if cls is not tuple else raw(field.spec)) for field in fields
    )
    return RecordOf(cls, specs, frozenset(str(f.key) for f in fields if not f.optional))


def _field(field: Field) -> Spec:
    found = raw(field.spec)
    return Union((found, _EMPTY)) if field.optional else found


def _chain(fields: tuple[Field, ...]) -> Spec:
    """The tuple of ``optax.chain``; members after the last required one may be absent."""
    by_index = {field.key: field for field in fields}
    last = max(index for index in by_index if isinstance(index, int))
    items = tuple(
        _field(by_index[index]) if index in by_index else _EMPTY for index in range(last + 1)
    )
    needed = [field.key for field in fields if not field.optional and isinstance(field.key, int)]
    shortest = max(needed, default=-1) + 1
    # members that keep nothing stand behind the last one too: optax.scale(-1), weight decay
    return Union(tuple(TupleOf(items[:size], _EMPTY) for size in range(last + 1, shortest - 1, -1)))


def _of_parameters(spec: Spec) -> bool:
    """Whether a map's entries are parameters, which are no class of the catalogue."""
    match spec:
        case Node(ref):
            return not isinstance(ref, ClassRef)
        case Leaf(kind=kind):
            return kind is not OptArray
        case Bound(inner=inner) | Argument(inner=inner) | Map(entry=inner):
            return _of_parameters(inner)
        case Union(options):
            return all(_of_parameters(option) for option in options)
        case Anything() | ValueSpec() | StateSpec():
            return False
        case _:
            assert_never(spec)


def _tuple_class(cls: SchemaMeta) -> type | None:
    """The NamedTuple of optax that a schema of the catalogue describes, if it is public."""
    for base in cls.__mro__:
        names = _NAMES.get(base.__name__, (base.__name__,)) if _is_ours(base) else ()
        for name in names:
            found = getattr(optax, name, None) or getattr(contrib, name, None)
            if isinstance(found, type):
                return found
    return None


def _is_ours(cls: type) -> bool:
    return cls.__module__.rpartition(".")[0] == __name__.rpartition(".")[0]


def _holds_nothing(value: Any) -> bool:
    return not jax.tree.leaves(value)


_EMPTY: Final = Validated(
    Instance(object), (Predicate("a state of optax without leaves", _holds_nothing),)
)
_ANY: Final = Instance(object)
#: The parameters may be of any kind: `Like` has replaced it.
_ANY_KIND: Final = Resembling("Variable", (Leaf(nnx.Variable, Anything()),), None, ())

if TYPE_CHECKING:
    T = TypeVar("T")
    Raw = TypeAliasType("Raw", Any, type_params=(T,))

else:

    class Raw(metaclass=FormMeta):
        """``Raw[AdamState[S]]``: what ``tx.init(params)`` returns, for params with state S.

        ``opt_state`` of a live ``nnx.Optimizer`` is such a tuple too, with Variables in it.
        """

        @staticmethod
        def __typedstate_form__(inner: Spec) -> Spec:
            found = raw(inner)
            if found == inner:
                raise SchemaError(f"Raw[{describe(inner)}]: give the state of an optimizer")
            return found
