"""Lines of code that recognise a live module, which is read in place as `module_tree` reads it.

Its objects are shown to an `AliasPattern`, which tells whether the same ones are aliases.
"""

from __future__ import annotations

from typing import Any

from .._compat import fast_reads, modules, variables
from .._compat.module_layout import Child, NodeLayout, layout_of
from .._validation.guards import KeysOf, SameKeys
from ..report import Path
from .emitter import Item, Source, address
from .statements import KIND, Line, differs, refuse
from .value_code import NotCompilable, ValueCode


def live_lines(values: ValueCode, module: Any, path: Path, source: Source) -> list[Line]:
    """Lines that return False unless a module has the leaves and the aliases of this one."""
    text = values.text
    function = _ModuleCode(values).node(module, path, source)
    known = text.constant(text.keep_aliases(function, module), "p")
    like = text.calls(function, "v#0", f"iter({known}.ids).__next__")
    again = text.calls((f"{known}.again", function[1]), "v#0")
    return [refuse(f"not {like} and not {again}")]


class _ModuleCode:
    """Functions for the nodes of one module."""

    def __init__(self, values: ValueCode) -> None:
        self._values, self._text = values, values.text
        self._objects: set[int] = set()

    def node(self, node: Any, path: Path, source: Source) -> tuple[str, list[int]]:
        """Writes the function of a node, which shows each object below it to ``seen``."""
        layout = layout_of(node)
        lines = [refuse(self._values.other_class("v0", node)), *self._keys_of(node, layout, path)]
        if modules.is_object(node):
            self._objects.add(address(node))
            lines.append(refuse("address(v0) != seen()"))
        match layout.kind:
            case "attributes":
                if layout.record is not None:
                    record = self._text.record(layout.record)
                    lines.append(refuse(differs(f"v0.{modules.RECORD}", record)))
                before, after = "", ".__dict__"
            case "mapping":
                before, after = "", f".{fast_reads.MAPPING}"
            case "items":
                before, after = "", ""
            case "flatten":
                before, after = f"{self._text.constant(modules.flatten_of(node), 'f')}(", ")[0]"
        lines.append(Line(KIND, f"d = {before}v0{after}"))
        step = (source, before, after)
        if layout.size is not None:
            lines.append(refuse(f"len(d) != {layout.size}"))
        lines += [refuse(f"{self._text.constant(name, 'k')} in d") for name in layout.unset]
        items = ((child.place, self._live_item(child, path, step)) for child in layout.children)
        return self._text.define("v0, seen", [*lines, *self._text.items("d", items)])

    def _keys_of(self, node: Any, layout: NodeLayout, path: Path) -> list[Line]:
        """Lines that ask about the classes of keys, where the node's own does not decide them."""
        asked = self._values.guards.pop(path, [])
        if not all(isinstance(guard.test, KeysOf | SameKeys) for guard in asked):
            raise NotCompilable
        is_mapping = layout.kind == "mapping" or type(node) is dict
        return self._values.asked(asked, "v0", KIND) if is_mapping else []

    def _live_item(self, child: Child, path: Path, source: Source) -> Item:
        value, path, source = child.value, (*path, child.key), self._values.at(source, child.place)
        lines: list[Line] = []
        if child.item is not None:
            kind = self._text.class_name(type(child.key))
            other = f"type(v#0[0]) is not {kind} or v#0[0] != {self._text.constant(child.key, 'k')}"
            lines = [refuse(other), Line(KIND, "v#0 = v#0[1]")]
            source = (source, "", "[1]")
            if child.item is not value:
                lines += [
                    refuse(self._values.other_class("v#0", child.item)),
                    Line(KIND, "v#0 = v#0.value"),
                ]
                source = (source, "", ".value")
        if child.role == "ignored" or modules.has_no_children(value):
            return Item((*lines, refuse(self._values.other_class("v#0", value))))
        see = refuse("address(v#0) != seen()")
        if modules.is_object(value) or variables.is_variable(value):
            if address(value) in self._objects:
                return Item((*lines, see))  # it is looked at where it was first
            if child.role == "leaf":
                self._objects.add(address(value))
                lines.append(see)
        if child.role == "node":
            function = self.node(value, path, source)
            return Item((*lines, refuse(f"not {self._text.calls(function, 'v#0', 'seen')}")))
        item = self._values.item(value, path, source)
        return Item((*lines, *item.lines), item.is_tree)
