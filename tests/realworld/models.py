"""The models of the checkouts that a command line names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tests.realworld.bonsai_models import of_bonsai
from tests.realworld.flax_models import of_flax
from tests.realworld.maxtext_models import of_maxtext
from tests.realworld.model import Model
from tests.realworld.tunix_models import of_tunix

_REPOSITORIES = {"bonsai": of_bonsai, "flax": of_flax, "tunix": of_tunix, "maxtext": of_maxtext}


def add_checkouts(parser: argparse.ArgumentParser) -> None:
    """Adds an option for the checkout of each repository."""
    for name in _REPOSITORIES:
        parser.add_argument(f"--{name}", type=Path, help="a checkout")


def of_checkouts(arguments: argparse.Namespace) -> Iterator[Model]:
    """The models of the checkouts that were given."""
    for name, models in _REPOSITORIES.items():
        checkout = getattr(arguments, name)
        if checkout:
            yield from models(checkout)
