"""The leaves of a schema by filter and kind: what `Only`, `Rest` and `Plus` do."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from ..report import Path
from .filters import Answer, asks_for_kinds, decide, show_filter
from .leaf_conditions import Allowed, Selection
from .nodes import Anything, Conditional, Extra, Spec
from .transform import Unchanged


class Selecting(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """`Only` and `Rest`: the leaves that filters select, or all others."""

    filters: tuple[Any, ...]
    keep: bool

    @property
    def by_path(self) -> bool:
        """Filters may read paths."""
        return not all(isinstance(item, type) for item in self.filters)

    @property
    def needs_kinds(self) -> bool:
        """A filter may be a kind."""
        return asks_for_kinds(self.filters)

    def title(self, name: str) -> str:
        """``Only[S, Param]``."""
        form = "Only" if self.keep else "Rest"
        return f"{form}[{', '.join([name, *map(show_filter, self.filters)])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """A maybe is decided by the real leaf."""
        answer = decide(self.filters, path, spec)
        if answer is Answer.MAYBE or isinstance(spec, Anything):
            yes, no = (spec, None) if self.keep else (None, spec)
            return Conditional(self.filters, path, yes, no)
        return spec if (answer is Answer.YES) == self.keep else None

    def extra(self, extra: Extra, path: Path) -> Extra:
        """The filters decide on the real leaves."""
        one = Selection(self.filters, self.keep, path)
        allowed = (replace(item, selections=(*item.selections, one)) for item in extra.allowed)
        return replace(extra, allowed=tuple(allowed))


class Adding(Unchanged, msgspec.Struct, frozen=True, eq=False):
    """`Plus`: leaves of these kinds may stand anywhere."""

    kinds: tuple[type, ...]

    @property
    def needs_kinds(self) -> bool:
        """True, as the added leaves are recognised by their kinds."""
        return True

    def title(self, name: str) -> str:
        """``Plus[S, LoRAParam]``."""
        return f"Plus[{', '.join([name, *(kind.__name__ for kind in self.kinds)])}]"

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """Leaves stay."""
        return spec

    def extra(self, extra: Extra, path: Path) -> Extra:
        """More kinds may stand under undeclared keys."""
        return replace(extra, allowed=(*extra.allowed, Allowed(self.kinds)))
