"""`Diagnosis`: the findings, their differences from the record, and the limits that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typedstate.doctor.claims import Claim, judge
from typedstate.doctor.difference import Difference, differences
from typedstate.doctor.limits import Limit, limits
from typedstate.doctor.record import Record, nearest, version_key

if TYPE_CHECKING:
    from typedstate.doctor.findings import Findings
    from typedstate.doctor.stubs import Stubs


@dataclass(frozen=True)
class Diagnosis:
    """The doctor's report on the installed pair of Flax and JAX.

    Attributes:
        findings: What the probe found.
        compared_with: The recorded pair that the findings were compared with, or nothing.
        recorded: Whether that is this very pair.
        is_latest: Whether no later Flax is recorded.
        differences: Where the findings are not as recorded.
        claims: What Flax says of its leaves, against what was seen.
        stubs: Whether the installed stubs fit.
        limits: Features that do less here.
    """

    findings: Findings
    compared_with: str
    recorded: bool
    is_latest: bool
    differences: tuple[Difference, ...]
    claims: tuple[Claim, ...]
    stubs: Stubs
    limits: tuple[Limit, ...]

    @property
    def as_recorded(self) -> bool:
        """Whether nothing differs from the record."""
        return bool(self.compared_with) and not self.differences

    @property
    def outdated(self) -> tuple[str, ...]:
        """The modules whose stubs are older than this Flax.

        An argument that they do not ask for is new there if no later Flax is recorded; another
        Flax has learnt since to do without it.
        """
        passing = self.stubs.passing if self.is_latest else ()
        return tuple(dict.fromkeys((*self.stubs.refusing, *passing)))

    @property
    def exit_status(self) -> int:
        """0 where all is as recorded and the stubs know all that Flax takes, else 1."""
        return 0 if self.as_recorded and not self.outdated else 1

    def __str__(self) -> str:
        """The report in plain text."""
        from typedstate.doctor.render import text

        return text(self)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "as_recorded": self.as_recorded,
            "recorded": self.recorded,
            "compared_with": self.compared_with,
            "findings": self.findings.to_json(),
            "differences": [item.to_json() for item in self.differences],
            "claims": [
                {
                    "where": item.where,
                    "said": item.said,
                    "agrees": item.agrees,
                    "verdict": item.verdict,
                }
                for item in self.claims
            ],
            "stubs": self.stubs.to_json(),
            "limits": [{"feature": item.feature, "why": item.why} for item in self.limits],
        }


def diagnose(found: Findings, record: Record, stubs: Stubs) -> Diagnosis:
    """The diagnosis that follows from these findings."""
    reference = nearest(record, found.flax, found.jax)
    return Diagnosis(
        findings=found,
        compared_with=reference.pair if reference is not None else "",
        recorded=reference is not None and reference.pair == found.pair,
        is_latest=all(version_key(one.flax) <= version_key(found.flax) for one in record.values()),
        differences=differences(reference, found) if reference is not None else (),
        claims=judge(found.says, found.leaves),
        stubs=stubs,
        limits=limits(found),
    )
