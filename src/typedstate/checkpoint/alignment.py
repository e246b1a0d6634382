"""`Alignment`: pairs each stored array with its place in the declared tree.

Formats change a state: int keys become text, the array of a Variable is stored under a key
``value``, PRNG keys become plain numbers. The alignment undoes all three. Kinds come from the
declaration, as no format keeps them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, assert_never, cast

from .._compat.variables import make_variable
from .._spec.node_groups import LevelSpec, StateSpec, ValueSpec, WrapperSpec
from .._spec.nodes import (
    Anything,
    Conditional,
    EntriesSpec,
    Field,
    FlatSpec,
    ItemsOf,
    Leaf,
    Map,
    MappingOf,
    ModuleState,
    Node,
    NoValue,
    RecordOf,
    Spec,
    StateOfSpec,
    TupleOf,
    Union,
    Validated,
    Within,
)
from .._spec.rewrite import rewrite
from .._validation.key_patterns import int_of, pattern_spec
from ..report import show_path
from .declared import AsStored, judge
from .flat_names import unflattened
from .key_numbers import IMPLEMENTATIONS, key_dtype, key_size
from .libraries import is_dict, shaped
from .slots import ABSENT, Slot, without_arrays
from .spec_groups import array_of, is_structure, is_tree
from .stored import Path, StoredLeaf, value_level

_MAX_DEPTH: Final = 200


@dataclass(slots=True)
class Alignment:
    """The arrays of a checkpoint in the tree that a hint declares.

    Attributes:
      implementation: the PRNG implementation that the caller named, e.g. ``"threefry2x32"``;
        None if the caller named none.
      implementations: the PRNG implementations that the checkpoint names, by path as text.
      slots: one `Slot` for each stored array, declared or not.
      int_keys: paths of the levels whose keys are stored as text and declared as ints.
      value_levels: paths of the Variables whose array is stored under a further key, ``value``
        or ``raw_value``.
      keys: paths of the PRNG keys that are stored as plain numbers.
      tree: nested dicts of ``jax.ShapeDtypeStruct``, one for each slot.
      kinded: the same tree, its leaves in Variables of the declared kinds.
    """

    implementation: str | None = None
    implementations: Mapping[str, str] = field(default_factory=dict[str, str])
    slots: list[Slot] = field(default_factory=list[Slot])
    int_keys: list[Path] = field(default_factory=list[Path])
    value_levels: list[Path] = field(default_factory=list[Path])
    keys: list[Path] = field(default_factory=list[Path])
    tree: Any = None
    kinded: Any = None

    @classmethod
    def of(
        cls,
        stored: Any,
        spec: Spec,
        implementation: str | None = None,
        implementations: Mapping[str, str] | None = None,
    ) -> Alignment:
        """Aligns nested dicts of `StoredLeaf` with a spec."""
        found = cls(implementation, implementations or {})
        found.tree, found.kinded = found._walk(stored, spec, ())
        return found

    # Each function returns a pair: its part of `tree`, and the same part of `kinded`.

    def _walk(self, node: Any, spec: Spec, path: Path) -> tuple[Any, Any]:
        if len(path) > _MAX_DEPTH:
            raise RecursionError
        match spec:
            case Node(ref) if is_dict(node):
                schema = ref.resolve()
                return self._fields(node, schema.fields, schema.extra, path)
            case FlatSpec(inner, separator):
                return self._walk(unflattened(node, separator), inner, path)
            case Map() if is_dict(node):
                return self._entries(node, spec, path)
            case EntriesSpec(items) if is_dict(node):
                numbered = enumerate(items)
                fields = [Field(str(i), i, item) for i, item in numbered if item is not None]
                return self._fields(node, fields, spec.extra, path)
            case StateOfSpec(leaf) if is_dict(node):
                inside = {
                    key: self._any_depth(item, leaf, (*path, key)) for key, item in node.items()
                }
                return _both(inside)
            case Union(options):
                return self._walk(node, self._option(node, options, path), path)
            case Conditional(yes=yes, no=no):
                options = tuple(option for option in (yes, no) if option is not None)
                return self._walk(node, self._option(node, options, path), path)
            case TupleOf() | RecordOf() if path == () and is_dict(node):
                return self._value(node, spec, path, path, None)
            case Leaf():
                return self._leaf(node, spec, path)
            case WrapperSpec() | Within() | ModuleState():
                return self._walk(node, spec.inner, path)
            case Anything() | ValueSpec() | LevelSpec():
                return self._leaf(node, Leaf(None, spec), path)
            case _:
                assert_never(spec)

    def _fields(
        self, node: dict[Hashable, Any], fields: Iterable[Field], extra: Any, path: Path
    ) -> tuple[Any, Any]:
        by_key = {item.key: item for item in fields}
        renamed = self._int_keys(node, {key for key in by_key if isinstance(key, int)}, path)
        inside: dict[Hashable, tuple[Any, Any]] = {}
        for key, item in renamed.items():
            child = (*path, key)
            declared = by_key.get(key)
            if declared is not None and declared.shared is None:
                inside[key] = self._walk(item, declared.spec, child)
                continue
            pattern = pattern_spec(extra, key)
            inside[key] = (
                self._undeclared(item, child)
                if pattern is None
                else self._walk(item, pattern, child)
            )
        for key, declared in by_key.items():
            if key not in inside and declared.shared is None and not declared.optional:
                held = without_arrays(declared.spec)
                if held is not ABSENT:
                    inside[key] = held
        return _both({key: pair for key, pair in inside.items() if pair[0] is not ABSENT})

    def _int_keys(
        self, node: dict[Hashable, Any], wanted: Iterable[int], path: Path
    ) -> dict[Hashable, Any]:
        wanted = set(wanted)
        as_text = {key: number for key in node if (number := int_of(key)) in wanted}
        if as_text:
            self.int_keys.append(path)
        return {as_text.get(key, key): item for key, item in node.items()}

    def _entries(self, node: dict[Hashable, Any], spec: Map, path: Path) -> tuple[Any, Any]:
        if spec.key == "int":
            node = self._int_keys(node, {n for key in node if (n := int_of(key)) is not None}, path)
        inside: dict[Hashable, tuple[Any, Any]] = {}
        for key, item in node.items():
            fits = isinstance(key, int if spec.key == "int" else str)
            below = spec.entry if fits else pattern_spec(spec.extra, key)
            child = (*path, key)
            inside[key] = (
                self._undeclared(item, child) if below is None else self._walk(item, below, child)
            )
        return _both(inside)

    def _any_depth(self, node: Any, leaf: Spec, path: Path) -> tuple[Any, Any]:
        if is_dict(node) and value_level(node) is None:
            pairs = {key: self._any_depth(item, leaf, (*path, key)) for key, item in node.items()}
            return _both(pairs)
        return self._walk(node, leaf, path)

    def _undeclared(self, node: Any, path: Path) -> tuple[Any, Any]:
        """Keys that are not declared. A key ``value`` is taken for the level of a Variable."""
        if is_dict(node):
            level = value_level(node)
            if level is not None:
                node = node[level]
            else:
                pairs = {key: self._undeclared(item, (*path, key)) for key, item in node.items()}
                return _both(pairs)
        self.slots.append(Slot(path, path, node, None))
        return node.abstract, node.abstract

    def _leaf(self, node: Any, spec: Leaf, path: Path) -> tuple[Any, Any]:
        level = value_level(node)
        if level is not None and not _is_record_of(spec.value, level):
            self.value_levels.append(path)
            node = node[level]
        plain, _ = self._value(node, spec.value, path, path, spec)
        if spec.kind is None or (is_dict(node) and not is_structure(spec.value)):
            return plain, plain
        return plain, make_variable(spec.kind, plain, {})

    def _value(
        self, node: Any, value: Spec, path: Path, leaf: Path, spec: Leaf | None
    ) -> tuple[Any, Any]:
        """What a leaf holds: an array, or a container of such.

        Args:
          node: the stored array, or nested dicts of such.
          value: the declaration of this part.
          path: where it stands.
          leaf: where the leaf stands in which it is.
          spec: the declared leaf; None in a tuple of trees.
        """
        if isinstance(node, StoredLeaf):
            made = self._array(node, value, path, leaf, spec)
            return made, made
        value = value.inner if isinstance(value, Validated) else value
        match value:
            case Union(options):
                trees = [option for option in options if is_structure(option)]
                if trees:
                    return self._value(node, trees[0], path, leaf, spec)
            case TupleOf(items, rest):
                every = [items[i] if i < len(items) else rest for i in range(len(node))]
                listed = self._items(node, every, path, leaf, spec)
                if listed is not None:
                    return tuple(listed[0]), tuple(listed[1])
            case ItemsOf(cls, item) if issubclass(list, cls):
                listed = self._items(node, [item] * len(node), path, leaf, spec)
                if listed is not None:
                    return listed
            case RecordOf(cls, fields) if issubclass(cls, tuple):
                keys = {
                    (fields[key][0] if isinstance(key, int) and key < len(fields) else key): item
                    for key, item in self._int_keys(node, range(len(fields)), path).items()
                }
                if set(keys) == {name for name, _ in fields}:
                    made = _both(
                        {
                            name: self._inside(keys[name], item, (*path, name), leaf, spec)
                            for name, item in fields
                        }
                    )
                    return cast(Any, cls)(**made[0]), cast(Any, cls)(**made[1])
            case RecordOf(cls, fields) if issubclass(cls, dict):
                names = dict(fields)
                pairs = {
                    key: self._inside(item, names.get(cast(str, key)), (*path, key), leaf, spec)
                    for key, item in node.items()
                }
                return _both(pairs)
            case MappingOf(value=item):
                pairs = {
                    key: self._inside(one, item, (*path, key), leaf, spec)
                    for key, one in node.items()
                }
                return _both(pairs)
            case Anything() | ValueSpec() | StateSpec():
                pass
            case _:
                assert_never(value)
        return self._undeclared(node, path)

    def _items(
        self, node: Any, specs: list[Spec | None], path: Path, leaf: Path, spec: Leaf | None
    ) -> tuple[list[Any], list[Any]] | None:
        """The items of a sequence, each with its spec; None if the keys do not number them."""
        by_index = self._int_keys(node, range(len(node)), path)
        if set(by_index) != set(range(len(specs))):
            return None
        pairs = [
            self._inside(by_index[index], item, (*path, index), leaf, spec)
            for index, item in enumerate(specs)
        ]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def _inside(
        self, node: Any, value: Spec | None, path: Path, leaf: Path, spec: Leaf | None
    ) -> tuple[Any, Any]:
        if value is None:
            return self._undeclared(node, path)
        if spec is None:  # of a tuple of trees
            return self._walk(node, value, path)
        return self._value(node, value, path, leaf, spec)

    def _array(
        self, node: StoredLeaf, value: Spec, path: Path, leaf: Path, spec: Leaf | None
    ) -> Any:
        array = array_of(value)
        dtypes = None if array is None else array.dtypes
        if dtypes == ("prng_key",) and str(node.dtype) == "uint32" and node.shape:
            written = node.key_impl or self.implementations.get(show_path(leaf))
            said = written or self.implementation
            implementation = said or IMPLEMENTATIONS.get(node.shape[-1])
            if implementation is not None and key_size(implementation) == node.shape[-1]:
                self.keys.append(path)
                self.slots.append(Slot(path, leaf, node, spec, implementation, dtypes))
                return shaped(node.shape[:-1], key_dtype(implementation))
        self.slots.append(Slot(path, leaf, node, spec, None, dtypes))
        return node.abstract

    def _option(self, node: Any, options: tuple[Spec, ...], path: Path) -> Spec:
        """The first alternative that fits; if none does, one of the node's sort."""
        present = [option for option in options if option != NoValue()] or list(options)
        if len(present) == 1:
            return present[0]
        for option in present:
            below = Alignment(self.implementation, self.implementations)
            plain, _ = below._walk(node, option, path)
            spec = rewrite(option, AsStored())
            if spec is not None and judge(plain, spec, ""):
                return option
        holds_keys = is_dict(node) and value_level(node) is None
        return next((one for one in present if is_tree(one) == holds_keys), present[0])


def _both(pairs: Mapping[Any, tuple[Any, Any]]) -> tuple[Any, Any]:
    plain = {key: pair[0] for key, pair in pairs.items()}
    return plain, {key: pair[1] for key, pair in pairs.items()}


def _is_record_of(value: Spec, key: str) -> bool:
    return isinstance(value, RecordOf) and any(name == key for name, _ in value.fields)
