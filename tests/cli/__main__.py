"""``python -m tests.cli --write``: what the commands of the transcripts say now."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from . import transcript


def main() -> None:
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(__doc__)
    for path in sorted(transcript.FOLDER.glob("*.txt")):
        with tempfile.TemporaryDirectory() as folder, transcript.shell(Path(folder)):
            said = [transcript.run(one.command) for one in transcript.read(path)]
        path.write_text("\n\n".join(map(str, said)) + "\n", encoding="utf-8")


main()
