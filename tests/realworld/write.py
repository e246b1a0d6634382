"""Writes the schemas that `infer` gives for public models into ``inferred/``, or compares them.

    python -m tests.realworld.write --bonsai ../bonsai --flax ../flax --tunix ../tunix [--check]

The files are what a person commits after reading them once: output of typedstate alone. Each is
inferred from one abstract model at tiny sizes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from flax import nnx

from tests.realworld.models import add_checkouts, of_checkouts
from typedstate import explain, infer, to_source
from typedstate.inference.stale import stale

_FOLDER = Path(__file__).parent / "inferred"


def main() -> int:
    """Writes or compares the files; 1 where one is stale or refuses its model."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_checkouts(parser)
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    arguments = parser.parse_args()
    failed = 0
    models = {model.name: model for model in of_checkouts(arguments)}
    for model in models.values():
        module = model.build(0)
        updated = None
        if isinstance(module, nnx.Optimizer):
            repository, _, rest = model.name.partition(" ")
            updated = models[f"{repository} {rest.rpartition(' of ')[2]}"].build(0)
        schema = infer(module, model=updated)
        report = explain(nnx.state(module), schema)
        if not report:
            failed += 1
            print(f"{model.name}: {report}")
        file = _FOLDER / f"{re.sub(r'[^a-z0-9]+', '_', model.name.lower())}.py"
        if arguments.check:
            written = file.read_text() if file.exists() else ""
            difference = stale(written, schema, path=file.name)
            failed += bool(difference)
            print(difference, end="")
        else:
            file.write_text(f'"""What `infer` says of {model.name}."""\n\n{to_source(schema)}')
    if not arguments.check:
        for command in (["check", "--select", "I", "--fix"], ["format"]):
            subprocess.run([sys.executable, "-m", "ruff", *command, _FOLDER], check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
