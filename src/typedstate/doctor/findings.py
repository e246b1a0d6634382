"""The findings of the probe on one pair of Flax and JAX, as plain data for the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Table = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Findings:
    """The findings on one pair.

    Attributes:
        flax: Flax's version.
        jax: JAX's version.
        leaves: Construct, then context, to the leaves seen there.
        keys: Construct, then path, to the kind that `nnx.state` gives.
        facts: Single answers by name.
        says: What Flax's docstrings and annotations say, by place.
    """

    flax: str
    jax: str
    leaves: Table
    keys: Table
    facts: dict[str, str]
    says: dict[str, str]

    @property
    def pair(self) -> str:
        """The key of the record, as `0.12.12 + jax 0.12.0.1`."""
        return f"{self.flax} + jax {self.jax}"

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and strings."""
        return {
            "flax": self.flax,
            "jax": self.jax,
            "leaves": self.leaves,
            "keys": self.keys,
            "facts": self.facts,
            "says": self.says,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Findings:
        """The findings that `to_json` wrote."""
        return cls(
            flax=data["flax"],
            jax=data["jax"],
            leaves=data["leaves"],
            keys=data["keys"],
            facts=data["facts"],
            says=data["says"],
        )
