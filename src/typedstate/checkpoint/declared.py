"""A hint as checkpoints need it: its spec for a state, and its spec for stored arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from msgspec.structs import replace

from .._annotations.spec_of import name_of, spec_of
from .._compat.storage import ANYWHERE
from .._compat.variables import State, is_state
from .._fastpath.judge import given_sizes
from .._spec import flat_trees
from .._spec.dtypes import has_dtype
from .._spec.nodes import FlatSpec, Leaf, ModuleState, Spec, Validated
from .._spec.rewrite import rewrite
from .._spec.transform import Unchanged
from .._validation.causes import Mistake
from .._validation.walk import Walk
from ..forms.replacing import Abstracting, Unwrapping
from ..report import Report, Violation
from .stored import Path


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class AsStored(Unchanged):
    """Reduces a schema to what files keep: shapes and dtypes; no kinds, placement or validators."""

    @property
    def keeps_kinds(self) -> bool:
        """False: no format keeps kinds."""
        return False

    @property
    def keeps_values(self) -> bool:
        """False: values are not read."""
        return False

    def title(self, name: str) -> str:
        """The name of the schema, unchanged."""
        return name

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The array of a Variable, as an abstract one."""
        if isinstance(spec, FlatSpec):  # names of a file are paths, flat or not
            return rewrite(spec.inner, self, path)
        if isinstance(spec, Leaf):
            spec = replace(
                spec,
                kind=None,
                exact=False,
                names=None,
                predicates=(),
                by_dims=False,
                placed=None,
                storage=ANYWHERE,
            )
        return Abstracting().leaf(_without_validators(spec), path)

    def extra(self, extra: Any, path: Path) -> Any:
        """Undeclared keys may hold leaves of any kind."""
        return Unwrapping(pure=False).extra(extra, path)

    def container(self, container: Any) -> Any:
        """Any container: a checkpoint is neither a State nor a dict."""
        return "any"


def _without_validators(spec: Spec) -> Spec:
    return spec.inner if isinstance(spec, Validated) else spec


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """A hint that a checkpoint is compared with.

    Attributes:
      hint: the hint itself; for ``Annotated[Module, S]`` it is S. None if the spec was made
        of another checkpoint or tree.
      name: the hint as its user wrote it, for reports.
      spec: the spec of a state.
      stored: the spec of the stored arrays, see `AsStored`.
    """

    hint: Any
    name: str
    spec: Spec
    stored: Spec

    @classmethod
    def of(cls, hint: Any) -> Declared:
        """Reads a hint.

        Raises:
          SchemaError: the hint means nothing.
        """
        hint = _hint_of(hint)
        spec = spec_of(hint)
        return cls.of_spec(spec, name_of(hint, spec), hint)

    @classmethod
    def of_spec(cls, spec: Spec, name: str, hint: Any = None) -> Declared:
        """The same from a spec, e.g. the exact spec of another tree."""
        inner = spec.inner if isinstance(spec, ModuleState) else spec
        return cls(hint, name, inner, rewrite(inner, AsStored()) or inner)

    def nested(self, tree: Any) -> Any:
        """Nests a flat tree, if the hint declares a flat one; returns any other tree as it is."""
        if not isinstance(self.spec, FlatSpec):
            return tree
        found = flat_trees.nested(tree, self.spec)
        if isinstance(found, flat_trees.Misfit):
            return tree
        return found if isinstance(tree, dict) else State(found)

    def flat(self, tree: Any) -> Any:
        """Flattens a nested tree, if the hint declares a flat one."""
        if not isinstance(self.spec, FlatSpec):
            return tree
        if self.spec.separator is None and is_state(tree):
            return nnx.to_flat_state(tree)
        return flat_trees.flat(tree, self.spec.separator)

    def judge(self, tree: Any, dims: Mapping[str, int] | None) -> Report:
        """The violations of an aligned tree, see `Alignment.tree`.

        Raises:
          SchemaError: `dims` has a name that the hint lacks, or a size that is no natural number.
        """
        given = given_sizes(dims, self.hint, self.spec)
        return judge(tree, self.stored, self.name, given)


def _hint_of(hint: Any) -> Any:
    metadata = getattr(hint, "__metadata__", None)
    return metadata[0] if metadata and isinstance(metadata[0], type) else hint


def judge(tree: Any, spec: Spec, name: str, dims: Mapping[str, int] | None = None) -> Report:
    """The violations of a tree of abstract values against a spec, in words that suit a file."""
    walk = Walk(given=dims or {})
    walk.visit(tree, spec)
    for item in walk.found.part.violations:
        if item.cause == Mistake.CONCRETE:  # which is no mistake of a file
            item.violation, item.cause = dataclasses.replace(item.violation, note=""), ""
    found = walk.report(name)
    violations = tuple(_in_words_of_files(one) for one in found.violations)
    return dataclasses.replace(found, violations=violations)


def _in_words_of_files(violation: Violation) -> Violation:
    """Says Array for ShapeDtypeStruct: the abstract value stands for a stored array."""
    return dataclasses.replace(
        violation,
        expected=violation.expected.replace("[ShapeDtypeStruct, ", "[Array, "),
        actual=violation.actual.removeprefix("ShapeDtypeStruct "),
    )


def dtype_fits(dtype: Any, dtypes: tuple[Any, ...] | None) -> bool:
    """Whether a dtype is one of the declared; None allows any."""
    return dtypes is None or has_dtype(dtype, dtypes)


def only_dtype(dtypes: tuple[Any, ...] | None) -> Any:
    """The only declared dtype; None if several fit."""
    if dtypes is None or len(dtypes) != 1 or not isinstance(dtypes[0], str):
        return None
    return jax.numpy.dtype(dtypes[0])
