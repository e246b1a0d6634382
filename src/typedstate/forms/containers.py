"""`StateMap`, `Entries`, `StateOf`: levels of a tree without a schema class; and `Exactly`."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from .._spec.describe import describe
from .._spec.nodes import EntriesSpec, Leaf, Map, Spec, StateOfSpec
from ..errors import SchemaError
from .form_class import FormMeta, is_tree, show_form_argument


class StateMap(metaclass=FormMeta):
    """``StateMap[int, S]``: one level of like entries, as in ``nnx.List``; or by str keys.

    Any number of entries fits, unless ``len`` is bound. All uses of a type argument have the same
    ones: the moments of a model have its blocks.
    """

    __typedstate_first__: ClassVar = 1

    @staticmethod
    def __typedstate_form__(key: type, entry: Spec) -> Spec:
        if key not in (int, str):
            raise SchemaError(f"StateMap[{show_form_argument(key)}, ...]: the keys are int or str")
        return Map("int" if key is int else "str", entry)


class Entries(metaclass=FormMeta):
    """``Entries[StemState, None, NormState]``: int keys by position; None keeps nothing."""

    __typedstate_count__: ClassVar = None

    @staticmethod
    def __typedstate_form__(*items: Spec) -> Spec:
        from .._spec.nodes import NoValue

        return EntriesSpec(tuple(None if item == NoValue() else item for item in items))


class StateOf(metaclass=FormMeta):
    """``StateOf[Leaf]``: a tree of any depth, every leaf of which is ``Leaf``."""

    @staticmethod
    def __typedstate_form__(leaf: Spec) -> Spec:
        if is_tree(leaf):
            text = describe(leaf)
            raise SchemaError(f"StateOf[{text}]: give a leaf; StateMap[str, {text}] has entries")
        return StateOfSpec(leaf)


class Exactly(metaclass=FormMeta):
    """``Exactly[nnx.Param]``: a Variable of that kind, and of no subclass."""

    @staticmethod
    def __typedstate_form__(leaf: Spec) -> Spec:
        if not isinstance(leaf, Leaf) or leaf.kind is None:
            raise SchemaError(f"Exactly[{describe(leaf)}]: give a Variable class")
        return replace(leaf, exact=True)
