"""Runs every probe: each construct in each context, the facts, Flax's own words."""

from __future__ import annotations

from typedstate.doctor.claims import sayings
from typedstate.doctor.constructs import CONSTRUCTS, Construct
from typedstate.doctor.contexts import CONTEXTS, MeetingPlace
from typedstate.doctor.facts import facts
from typedstate.doctor.findings import Findings
from typedstate.doctor.guard import outcome
from typedstate.doctor.installed import FLAX, JAX, nnx
from typedstate.doctor.leaf import join, kind, leaves_of


def _cell(construct: Construct, place: MeetingPlace) -> str:
    return outcome(lambda: place.look(construct.build()))


def _row(construct: Construct) -> dict[str, str]:
    """The leaves of one construct in every context, or why it cannot be built here."""
    built = outcome(lambda: f"{type(construct.build()).__name__}")
    if built.startswith("raises "):
        return {"built": built}
    return {place.name: _cell(construct, place) for place in CONTEXTS}


def _paths(construct: Construct) -> dict[str, str]:
    found: dict[str, str] = {}

    def walk() -> str:
        found.update(
            {join(path): kind(leaf) for path, leaf in leaves_of(nnx.state(construct.build()))}
        )
        return "walked"

    said = outcome(walk)
    return found if said == "walked" else {"": said}


def probe() -> Findings:
    """Probes the installed Flax and JAX; takes some seconds and needs one device of any kind."""
    return Findings(
        flax=FLAX,
        jax=JAX,
        leaves={construct.name: _row(construct) for construct in CONSTRUCTS},
        keys={construct.name: _paths(construct) for construct in CONSTRUCTS},
        facts=facts(),
        says=sayings(),
    )
