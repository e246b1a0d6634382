"""`MemoryKind`: in which memory of their devices the arrays of a schema lie."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from .._compat.storage import Storage
from .._spec.composition import transformed
from .._spec.describe import describe
from .._spec.nodes import Array, Leaf, Spec
from .._spec.transform import Unchanged
from ..errors import SchemaError
from ..report import Path
from .form_class import FormMeta


class MemoryKind(metaclass=FormMeta):
    """``MemoryKind[S, "pinned_host"]``: every array lies in this memory of its devices.

    S is a schema, or one leaf of it; where S declares a kind of its own, that stays. `shardings`
    and `abstract` derive it, `Shardings[S]` and `Placed[S]` compare it. Kinds are those of
    ``jax.sharding.NamedSharding(mesh, spec, memory_kind=...)``.
    """

    __typedstate_keeps_keys__: ClassVar = True
    __typedstate_of_states__: ClassVar = True

    @staticmethod
    def __typedstate_form__(inner: Spec, kind: Any) -> Spec:
        if not isinstance(kind, str) or not kind.isidentifier():
            text = f"MemoryKind[{describe(inner)}, {kind!r}]"
            raise SchemaError(f'{text}: write a kind of memory, e.g. "pinned_host"')
        return transformed(inner, Keeping(kind))


class Keeping(Unchanged, msgspec.Struct, frozen=True):
    """`MemoryKind`: every array lies in this memory.

    Attributes:
      kind: of the memory.
    """

    kind: str

    @property
    def needs_arrays(self) -> bool:
        """Arrays lie there."""
        return True

    def title(self, name: str) -> str:
        """``MemoryKind[S, 'pinned_host']``."""
        return f"MemoryKind[{name}, {self.kind!r}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Arrays, also raw ones, lie there."""
        if isinstance(spec, Leaf):
            kept = spec.storage
            if kept.memory_kind is not None:
                return spec
            return replace(spec, storage=replace(kept, memory_kind=self.kind))
        if isinstance(spec, Array):
            return Leaf(None, spec, storage=Storage(self.kind))
        return spec
