"""A hint as this package reads it: what it says of a state, and what it says of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from .._validation.walk import Walk
from ..forms.replacing import Abstracting, Unwrapping
from ..report import Report, Violation
from .stored import Path


@dataclass(frozen=True, slots=True, eq=False)
class AsStored(Unchanged):
    """A schema as a file can show it: abstract arrays, no kinds, no placement, no validators."""

    @property
    def keeps_kinds(self) -> bool:
        """No kind is stored."""
        return False

    @property
    def keeps_values(self) -> bool:
        """No value is read."""
        return False

    def title(self, name: str) -> str:
        """The name of the schema itself."""
        return name

    def leaf(self, spec: Spec, path: Path) -> Spec | None:
        """The abstract value of a Variable."""
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
        """Undeclared leaves of any kind."""
        return Unwrapping(pure=False).extra(extra, path)

    def container(self, container: Any) -> Any:
        """A checkpoint is neither a State nor a dict."""
        return "any"


def _without_validators(spec: Spec) -> Spec:
    return spec.inner if isinstance(spec, Validated) else spec


@dataclass(frozen=True, slots=True)
class Declared:
    """A hint as this package reads it.

    Attributes:
      hint: as it was given; of ``Annotated[Module, S]`` the state that S is. None where it is
        one tree, of which there is only the spec.
      name: as its user wrote it.
      spec: what it says.
      stored: what it says of a file.
    """

    hint: Any
    name: str
    spec: Spec
    stored: Spec

    @classmethod
    def of(cls, hint: Any) -> Declared:
        """Reads a hint.

        Raises:
          SchemaError: it can mean nothing.
        """
        hint = _hint_of(hint)
        spec = spec_of(hint)
        return cls.of_spec(spec, name_of(hint, spec), hint)

    @classmethod
    def of_spec(cls, spec: Spec, name: str, hint: Any = None) -> Declared:
        """The same of what a hint says, or of a tree that is exactly so."""
        inner = spec.inner if isinstance(spec, ModuleState) else spec
        return cls(hint, name, inner, rewrite(inner, AsStored()) or inner)

    def nested(self, tree: Any) -> Any:
        """The nested tree of a flat one that the hint describes; any other as it is."""
        if not isinstance(self.spec, FlatSpec):
            return tree
        found = flat_trees.nested(tree, self.spec)
        if isinstance(found, flat_trees.Misfit):
            return tree
        return found if isinstance(tree, dict) else State(found)

    def flat(self, tree: Any) -> Any:
        """The same the other way round."""
        if not isinstance(self.spec, FlatSpec):
            return tree
        if self.spec.separator is None and is_state(tree):
            return nnx.to_flat_state(tree)
        return flat_trees.flat(tree, self.spec.separator)

    def judge(self, tree: Any, dims: Mapping[str, int] | None) -> Report:
        """Everything in which an aligned tree does not fit.

        Raises:
          SchemaError: a name in `dims` is none of the hint's, or its size no natural number.
        """
        given = given_sizes(dims, self.hint, self.spec)
        return judge(tree, self.stored, self.name, given)


def _hint_of(hint: Any) -> Any:
    metadata = getattr(hint, "__metadata__", None)
    return metadata[0] if metadata and isinstance(metadata[0], type) else hint


def judge(tree: Any, spec: Spec, name: str, dims: Mapping[str, int] | None = None) -> Report:
    """Everything in which a tree of abstract values does not fit a spec."""
    walk = Walk(given=dims or {})
    walk.visit(tree, spec)
    found = walk.report(name)
    violations = tuple(_in_words_of_files(one) for one in found.violations)
    cause = "" if found.cause.startswith("the arrays are concrete") else found.cause
    return Report(found.hint, violations, found.dims, found.unknown, cause)


def _in_words_of_files(violation: Violation) -> Violation:
    """What is stored is an array, though an abstract one stands for it."""
    return Violation(
        violation.path,
        violation.code,
        violation.expected.replace("[ShapeDtypeStruct, ", "[Array, "),
        violation.actual.removeprefix("ShapeDtypeStruct "),
        "" if violation.note.startswith("a concrete value") else violation.note,
        violation.keys,
    )


def dtype_fits(dtype: Any, dtypes: tuple[Any, ...] | None) -> bool:
    """Whether an array of a dtype is what is declared."""
    return dtypes is None or has_dtype(dtype, dtypes)


def only_dtype(dtypes: tuple[Any, ...] | None) -> Any:
    """The dtype that is declared, None where several would do."""
    if dtypes is None or len(dtypes) != 1 or not isinstance(dtypes[0], str):
        return None
    return jax.numpy.dtype(dtypes[0])
