"""The mistakes that explain many violations at once, and which of them explains a report.

A cause is the sentence with which a report begins. Whoever finds a violation knows the mistake, if
there is a likely one: it gives the cause beside the note, and a report counts what was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from .._sharding.outcome import Outcome


class Mistake(StrEnum):
    """Mistakes that are alike wherever they are made: the cause that a report gives for each."""

    VALUES = "values stand for their Variables: Pure[...] takes a dict of them, Values[...] a State"
    VARIABLES = "Variables stand for their values: nnx.to_pure_dict gives a dict of those"
    ABSTRACT = "the arrays are abstract: Abstract[...] takes those"
    CONCRETE = "the arrays are concrete: jax.eval_shape gives abstract ones"
    NUMPY = "the arrays are numpy's: jax.tree.map(jnp.asarray, tree) makes them JAX's"
    DONATED = (
        "the arrays are deleted, as those are that a jitted function takes with donate_argnums: "
        "go on with what it returned"
    )
    STALE_KINDS = "the kinds are classes of a reload or of another Flax"
    CHECKPOINT = "the tree is that of a checkpoint, which keeps each array under 'value'"
    INT_KEYS = "the keys are ints: StateMap[int, ...] takes those"
    TEXT_KEYS = "the int keys are text, as in a checkpoint: nnx.restore_int_paths makes them int"
    WHOLE_TREE = (
        "the whole tree is here where a selection of it is wanted: nnx.state(model, nnx.Param), "
        "say, selects"
    )
    ANOTHER_MODEL = (
        "the optimizer was made for another model or other parameters: "
        "nnx.Optimizer(model, tx, wrt=nnx.Param) makes one for these"
    )


#: A report of so few violations with one cause shows them as well as the cause would.
_FEW: Final = 2
#: What `Cast` takes for a dtype of floating leaves.
_CAST: Final = {
    "bfloat16": "BFloat16",
    "float16": "Float16",
    "float32": "Float32",
    "float64": "Float64",
}


class Note(NamedTuple):
    """What is known of a violation's mistake.

    Attributes:
      text: the note of the violation, which may be empty.
      cause: that of a report most of whose violations have this mistake; empty if it would say
        no more than they do.
    """

    text: str = ""
    cause: str = ""


class Cause(NamedTuple):
    """A mistake that explains most violations of a report.

    Attributes:
      text: the cause as a report shows it; empty if none is recognised.
      explained: the indices of the violations that it explains.
    """

    text: str = ""
    explained: frozenset[int] = frozenset()


def common_cause(causes: Sequence[str]) -> Cause:
    """The cause of most violations of a report, if there are more than a few.

    Args:
      causes: of each violation; empty where none is known.
    """
    counts = Counter(filter(None, causes))
    for text, count in counts.most_common(1):
        if count > _FEW and count * 2 > len(causes):
            explained = frozenset(i for i, cause in enumerate(causes) if cause == text)
            return Cause(f"{text} ({count} leaves)", explained)
    return Cause()


def another_dtype(found: str, wanted: str) -> str:
    """The cause of arrays that have one dtype where another is declared."""
    text = f"the arrays are {found} where {wanted} is declared"
    cast_to = _CAST.get(found)
    return f"{text}: Cast[..., {cast_to}] takes those" if cast_to else text


def of_a_stack(shape: tuple[object, ...], declared: tuple[str, ...]) -> str:
    """The cause of arrays of a stack where those of one are declared, or the other way round.

    Args:
      shape: of an array.
      declared: its axes as the hint has them.
    """
    if len(shape) == len(declared) + 1:
        made = "Stacked[...] takes what nnx.vmap and nnx.scan stack"
        return f"the arrays have one axis more in front, of {shape[0]}: {made}"
    if len(shape) + 1 == len(declared):
        return f"the arrays lack the first axis, {declared[0]}, as those of one that is not stacked"
    return ""


def misplaced(outcome: Outcome, argument: str = "") -> Note:
    """The note for an array that is not where it should be.

    Args:
      outcome: of the comparison.
      argument: that says where it should be; empty where its own names do.
    """
    if not outcome.unplaced:
        return Note(outcome.note)
    text = f"the arrays are {outcome.unplaced}, not on the mesh"
    if argument:
        cause = f"{text} of {argument}: jax.device_put with its shardings places them"
    else:
        cause = f"{text}: jax.device_put(state, shardings(S, mesh)) places them"
    return Note(outcome.note, cause)
