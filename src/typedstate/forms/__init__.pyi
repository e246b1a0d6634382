"""What the forms are to a type checker; at run time they are the classes of `typedstate.forms`.

A form that keeps the leaves' types is `Annotated` under another name. One that changes the leaves
is a type of its own, or an alias of what Flax makes.
"""

from collections.abc import ItemsView, Mapping, ValuesView
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    Self,
    TypeAlias,
    overload,
)

from flax import nnx
from flax.nnx import filterlib
from typing_extensions import TypeAliasType, TypeVar, TypeVarTuple

from .stacking import Axis as Axis

__all__ = [
    "Abstract",
    "Axis",
    "Bind",
    "Cast",
    "Entries",
    "Exactly",
    "Flat",
    "Having",
    "Like",
    "MemoryKind",
    "Only",
    "Placed",
    "PlacedAs",
    "PlacedBy",
    "Plus",
    "Pure",
    "Rest",
    "Same",
    "Scoped",
    "Sharded",
    "Shardings",
    "Specs",
    "Stacked",
    "StateMap",
    "StateOf",
    "Values",
]

# mypy and pyrefly, each of which knows its constant, take an import alone for `Annotated`.
# The others see both branches, which say the same: an editor finds a docstring by the second.
MYPY: bool
TYPE_CHECKING_WITH_PYREFLY: bool
if MYPY or TYPE_CHECKING_WITH_PYREFLY:  # noqa: PYI002
    from typing import (
        Annotated as Bind,
        Annotated as Cast,
        Annotated as Having,
        Annotated as MemoryKind,
        Annotated as Only,
        Annotated as PlacedAs,
        Annotated as PlacedBy,
        Annotated as Plus,
        Annotated as Rest,
        Annotated as Same,
        Annotated as Scoped,
        Annotated as Sharded,
        Annotated as Stacked,
    )
else:
    from .keeping import (
        Bind as Bind,
        Cast as Cast,
        Having as Having,
        MemoryKind as MemoryKind,
        Only as Only,
        PlacedAs as PlacedAs,
        PlacedBy as PlacedBy,
        Plus as Plus,
        Rest as Rest,
        Same as Same,
        Scoped as Scoped,
        Sharded as Sharded,
        Stacked as Stacked,
    )

S = TypeVar("S")
K = TypeVar("K", bound=int | str, default=Any)
V = TypeVar("V", default=Any, covariant=True)
D = TypeVar("D")
E = TypeVar("E")
L = TypeVar("L")
X = TypeVar("X")
Joined = TypeVar("Joined", default=None)
Ts = TypeVarTuple("Ts")

# Annotated wants a second argument: these have none.
Exactly: TypeAlias = Annotated[X, "exactly"]
Placed: TypeAlias = Annotated[S, "placed"]
Pure = TypeAliasType("Pure", dict[str, Any], type_params=(S,))
Values = TypeAliasType("Values", nnx.State[Any, Any], type_params=(S,))
# A separator is written Literal["/"]: a type checker reads "/" as the name of a type.
Flat = TypeAliasType("Flat", dict[Any, Any], type_params=(S, Joined))
StateOf = TypeAliasType("StateOf", nnx.State[Any, L], type_params=(L,))

# Every form has `of`; an Annotated one can't, and `S.of(node, *filters)` is `Only`.
class _Door:
    @classmethod
    def of(
        cls, node_or_state: Any, *filters: filterlib.Filter, dims: Mapping[str, int] | None = None
    ) -> Self: ...

# `__getattr__` is None: an entry is read by its key, and Flax's functions keep the type.
class StateMap(_Door, nnx.State[K, V]):
    __getattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]
    __setattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]
    def __getitem__(self, key: K) -> V: ...
    # What is written is checked, though V is covariant: so it is for the attributes of a schema.
    def __setitem__(self, key: K, value: V) -> None: ...  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V, /) -> V: ...  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    @overload
    def get(self, key: K, default: D, /) -> V | D: ...
    def values(self) -> ValuesView[V]: ...
    def items(self) -> ItemsView[K, V]: ...

_Others: TypeAlias = tuple[Any, ...]

# One overload for each of the first ten keys; the plugin knows the others too.
class Entries(_Door, nnx.State[int, Any], Generic[*Ts]):
    __getattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]
    __setattr__: None  # type: ignore[assignment, misc]  # pyright: ignore[reportIncompatibleMethodOverride]
    @overload
    def __getitem__(self: Entries[E, *_Others], key: Literal[0]) -> E: ...
    @overload
    def __getitem__(self: Entries[Any, E, *_Others], key: Literal[1]) -> E: ...
    @overload
    def __getitem__(self: Entries[Any, Any, E, *_Others], key: Literal[2]) -> E: ...
    @overload
    def __getitem__(self: Entries[Any, Any, Any, E, *_Others], key: Literal[3]) -> E: ...
    @overload
    def __getitem__(self: Entries[Any, Any, Any, Any, E, *_Others], key: Literal[4]) -> E: ...
    @overload
    def __getitem__(self: Entries[Any, Any, Any, Any, Any, E, *_Others], key: Literal[5]) -> E: ...
    @overload
    def __getitem__(
        self: Entries[Any, Any, Any, Any, Any, Any, E, *_Others], key: Literal[6]
    ) -> E: ...
    @overload
    def __getitem__(
        self: Entries[Any, Any, Any, Any, Any, Any, Any, E, *_Others], key: Literal[7]
    ) -> E: ...
    @overload
    def __getitem__(
        self: Entries[Any, Any, Any, Any, Any, Any, Any, Any, E, *_Others], key: Literal[8]
    ) -> E: ...
    @overload
    def __getitem__(
        self: Entries[Any, Any, Any, Any, Any, Any, Any, Any, Any, E, *_Others], key: Literal[9]
    ) -> E: ...
    @overload
    def __getitem__(self, key: int) -> Any: ...

class Abstract(_Door, nnx.State[Any, Any], Generic[S]): ...
class Shardings(_Door, nnx.State[Any, Any], Generic[S]): ...
class Specs(_Door, nnx.State[Any, Any], Generic[S]): ...
class Like(_Door, nnx.State[Any, Any], Generic[S, X]): ...
