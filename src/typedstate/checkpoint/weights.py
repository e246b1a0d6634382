"""`Weights`: maps foreign tensors to the leaves of a schema, and proves the map before loading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar, cast

from .._spec.questions import outermost_names
from .._validation.permuted_axes import SWAPPED
from ..derive.trees import abstract
from ..errors import StateTypeError
from ..report import Report, show_path
from . import safetensors_reader
from .alignment import Alignment
from .declared import Declared
from .errors import AnyPath
from .inspecting import inspect_foreign
from .name_patterns import ignore_pattern
from .progress import Progress, counted
from .rearrange import AxesError
from .stored import Checkpoint, Path, StoredLeaf, nested
from .weight_rules import Rule, Use, uses_of

T = TypeVar("T")
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of applying a mapping to the header of a checkpoint.

    Attributes:
      report: the violations of the leaves that the rules make.
      unused: names of the tensors that no rule takes and that are not ignored.
      faults: faults of the rules themselves, one line each.
      uses: the rules applied, one entry for each leaf.
      turned: rules whose matrices would fit if they were transposed, or if they were not.
      checkpoint: the checkpoint.
    """

    report: Report
    unused: tuple[str, ...]
    faults: tuple[str, ...]
    uses: tuple[Use, ...]
    checkpoint: Checkpoint
    turned: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether every leaf is made once and fits, and every tensor is used or ignored."""
        return bool(self.report) and not self.unused and not self.faults

    def __str__(self) -> str:
        """The faults of rules, the unused tensors and then the report."""
        lines = [*self.faults[:_SHOWN], *self.turned[:_SHOWN]]
        if self.unused:
            shown = ", ".join(self.unused[:_SHOWN])
            more = len(self.unused) - _SHOWN
            lines.append(f"no rule takes {shown}" + (f", and {more} more" if more > 0 else ""))
        head = f"{self.checkpoint.path} " + ("maps to" if self else "does not map to")
        return "\n".join(
            [f"{head} {self.report.hint}", *[f"  {line}" for line in lines], *_body(self)]
        )


def _flipped(leaf: StoredLeaf) -> StoredLeaf:
    return StoredLeaf(leaf.path, leaf.shape[::-1], leaf.dtype)


def _body(proof: Proof) -> list[str]:
    """The lines of the report, without advice that a line above it already gives for the rule."""
    told = proof.turned[:_SHOWN]
    asked = {use.target for use in proof.uses if _ask(use.rule.targets[0]) in told}
    violations = tuple(
        replace(one, note="") if one.note == SWAPPED and one.keys in asked else one
        for one in proof.report.violations
    )
    return replace(proof.report, violations=violations).lines()


def _ask(name: str) -> str:
    return f"{name}: is it transposed? the other order fits"


class Weights(Generic[T]):
    """A declared mapping from a foreign checkpoint's names to the leaves of a schema.

    ::

        weights = Weights(
            ModelState,
            Rule("model.embed_tokens.weight", "embed.embedding"),
            Rule("model.layers.{i}.self_attn.q_proj.weight", "blocks[{i}].attn.query.kernel",
                 axes="(heads hd) d -> d heads hd"),
            Rule("model.layers.{i}.mlp.up_proj.weight", "blocks[{i}].mlp.up.kernel",
                 transpose=True),
            ignore=["*.rotary_emb.inv_freq"],
        )
        weights.prove("model.safetensors", dims={"heads": 8})
        model_state = weights.load("model.safetensors", dims={"heads": 8}, mesh=mesh)

    Attributes:
      hint: the schema or form.
      rules: the lines of the mapping.
      ignore: patterns of the tensors to leave out, with ``*`` and ``{i}``.
    """

    def __init__(
        self, hint: type[T], *rules: Rule, ignore: tuple[str, ...] | list[str] = ()
    ) -> None:
        """Keeps hint and rules; raises SchemaError if the hint means nothing."""
        self.hint: Any = hint
        self.rules, self.ignore = rules, tuple(ignore)
        self._declared = Declared.of(hint)

    def prove(self, path: AnyPath, *, dims: Mapping[str, int] | None = None) -> Proof:
        """Proves from the header that every leaf is made once and fits, and every tensor is used.

        Args:
          path: a safetensors file or a folder of such with an index.
          dims: sizes of the schema's dims and of names in `Rule.axes`.

        Raises:
          CheckpointError: the file can't be read.
        """
        checkpoint = inspect_foreign(path)
        leaves = {safetensors_reader.name_of(leaf): leaf for leaf in checkpoint.leaves}
        uses, faults = self._uses(leaves)
        known, made = dims or {}, dict[Path, StoredLeaf]()
        shaped: list[Use] = []
        for use in uses:
            shown = show_path(use.target)
            try:
                leaf = StoredLeaf(use.target, use.shape(known), use.dtype())
            except AxesError as error:
                faults.append(f"{shown}: {error}")
                continue
            if use.target in made:
                faults.append(f"{shown}: written twice")
                continue
            made[use.target] = leaf
            shaped.append(use)
        taken = {id(leaf) for use in uses for leaf in use.sources}
        ignored = [ignore_pattern(text) for text in self.ignore]
        unused = [
            name
            for name, leaf in leaves.items()
            if id(leaf) not in taken and not any(one.fullmatch(name) for one in ignored)
        ]
        report = self._judge(made, dims)
        turned = () if report else tuple(self._turned(shaped, made, dims))
        return Proof(report, tuple(unused), tuple(faults), tuple(shaped), checkpoint, turned)

    def _uses(self, leaves: Mapping[str, StoredLeaf]) -> tuple[list[Use], list[str]]:
        uses: list[Use] = []
        faults: list[str] = []
        for rule in self.rules:
            try:
                found = list(uses_of(rule, leaves))
            except (AxesError, ValueError) as error:
                faults.append(str(error))
                continue
            if not found:
                faults.append(f"no tensor is called {' or '.join(rule.sources)}")
            uses += found
        return uses, faults

    def _judge(self, made: Mapping[Path, StoredLeaf], dims: Mapping[str, int] | None) -> Report:
        own = self._own_dims(dims)
        alignment = Alignment.of(nested(made.items()), self._declared.spec)
        return self._declared.judge(alignment.tree, own)

    def _turned(
        self, uses: list[Use], made: Mapping[Path, StoredLeaf], dims: Mapping[str, int] | None
    ) -> Iterator[str]:
        """Yields the rules whose matrices would fit transposed; square ones can't be told."""
        report = self._judge(made, dims)
        wrong = {violation.keys for violation in report.violations}
        of_rule = {
            rule.targets[0]: [use.target for use in uses if use.rule is rule] for rule in self.rules
        }
        matrices = {
            name: paths
            for name, paths in of_rule.items()
            if paths and all(len(made[path].shape) == 2 for path in paths)
        }
        together = [name for name, paths in matrices.items() if wrong.intersection(paths)]
        for names in (together, *([name] for name in together)):
            paths = {path for name in names for path in matrices[name]}
            flipped = {**made, **{path: _flipped(made[path]) for path in paths}}
            again = self._judge(flipped, dims)
            still = {violation.keys for violation in again.violations}
            if len(still) < len(wrong):
                right = [name for name in names if not still.intersection(matrices[name])]
                yield from map(_ask, right)
                return

    def _own_dims(self, dims: Mapping[str, int] | None) -> dict[str, int]:
        """The given sizes of the schema's own names, without those of names in `Rule.axes`."""
        known = outermost_names(self._declared.spec)
        return {name: size for name, size in (dims or {}).items() if name in known}

    # -- Loading ---------------------------------------------------------------------------

    def load(
        self,
        path: AnyPath,
        *,
        dims: Mapping[str, int] | None = None,
        mesh: Any = None,
        rules: Any = None,
        progress: Progress | None = None,
    ) -> T:
        """Proves the mapping, and makes the state.

        Tensors are read one at a time, in the order of the files: beside the result, only one
        tensor is in memory.

        Args:
          path: a safetensors file or a folder of such with an index.
          dims: sizes of the schema's dims and of names in `Rule.axes`.
          mesh: the mesh on which arrays lie by their declared axis names; without, on one device.
          rules: for logical axis names, as in ``typedstate.abstract``.
          progress: called with the number of tensors that were read, and of all tensors.

        Raises:
          StateTypeError: the proof failed; the text is the proof.
          CheckpointError: the file can't be read.
        """
        __tracebackhide__ = True
        proof = self.prove(path, dims=dims)
        if not proof:
            raise StateTypeError(str(proof), proof.report)
        known = dims or {}
        made = {
            use.target: StoredLeaf(use.target, use.shape(known), use.dtype()) for use in proof.uses
        }
        alignment = Alignment.of(nested(made.items()), self._declared.spec)
        target: Any = cast(Any, abstract)(
            self.hint, mesh=mesh, rules=rules, like=alignment.kinded, dims=self._own_dims(dims)
        )
        from .building import finished

        state: T = finished(target, dict(_arrays(proof, known, target, progress)), self.hint)
        return state

    # -- The way back ----------------------------------------------------------------------

    def tensors(
        self, state: Any, *, dims: Mapping[str, int] | None = None
    ) -> Iterator[tuple[str, Any]]:
        """Yields the name and the array of each foreign tensor: the mapping applied backwards.

        Args:
          state: a state that fits the hint.
          dims: sizes of names in `Rule.axes` that the arrays' own shapes don't show.

        Raises:
          StateTypeError: the state does not fit.
        """
        from .exporting import exported

        return exported(self, state, dims or {})

    def save(self, path: AnyPath, state: Any, *, dims: Mapping[str, int] | None = None) -> None:
        """Writes a state as a safetensors file with the foreign names, whole or not at all.

        Args:
          path: the file to write; one that is there is replaced.
          state: a state that fits the hint.
          dims: sizes of names in `Rule.axes` that the arrays' own shapes don't show.
        """
        from .exporting import write

        write(path, dict(self.tensors(state, dims=dims)))


def _arrays(
    proof: Proof,
    dims: Mapping[str, int],
    target: Any,
    progress: Progress | None,
) -> Iterator[tuple[Path, Any]]:
    from .building import values_of
    from .reading import nothing_yet, placed, with_part

    targets = dict(values_of(target))
    wanted: dict[int, list[tuple[Use, int]]] = {}
    order: dict[int, StoredLeaf] = {}
    for use in proof.uses:
        for number, leaf in enumerate(use.sources):
            order[id(leaf)] = leaf
            wanted.setdefault(id(leaf), []).append((use, number))
    unfinished: dict[Path, tuple[Any, int]] = {}
    reading = safetensors_reader.tensors(proof.checkpoint, list(order.values()))
    for leaf, tensor in counted(reading, len(order), progress):
        for use, number in wanted[id(leaf)]:
            target = targets[use.target]
            part = use.part(use.rule.one(tensor, use.index, dims), number)
            if len(use.sources) == 1:
                yield use.target, placed(part, target)
                continue
            whole, left = unfinished.pop(use.target, (None, len(use.sources)))
            whole = nothing_yet(target) if whole is None else whole
            whole = with_part(whole, part, use.start(number, dims))
            if left == 1:
                yield use.target, whole
            else:
                unfinished[use.target] = whole, left - 1
