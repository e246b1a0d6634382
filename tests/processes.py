"""Processes of their own, for code that has to be the first to import ``typedstate``.

Most of what such a process costs is the import of Flax. One process has done that, and forks for
each code: what runs there finds Flax imported, no backend of JAX begun, and nothing of ours.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: Forks for each line that it reads, and says how what it forked has ended.
ORIGIN = """
import json, os, sys, types, warnings
import flax.nnx, jaxtyping

for line in sys.stdin:
    request = json.loads(line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, of which no backend has begun any
        child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

for number, file in enumerate(request["streams"]):
    os.dup2(os.open(file, os.O_RDWR), number)
os.environ.clear()
os.environ.update(request["environment"])
sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
sys.argv = request["words"]
sys.modules["__main__"] = main = types.ModuleType("__main__")
exec(compile(request["code"], request["file"], "exec"), vars(main))
"""


@functools.cache
def _origin(flags: tuple[str, ...]) -> subprocess.Popen[str]:
    found = subprocess.Popen(
        [sys.executable, *flags, "-c", ORIGIN],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(found.communicate)
    return found


def forked(
    code: str,
    environment: Mapping[str, str],
    *arguments: str,
    flags: tuple[str, ...] = (),
    file: str = "<string>",
) -> subprocess.CompletedProcess[str]:
    """Runs code as ``python -c`` does, but for the import of Flax.

    Args:
      code: what is run.
      environment: all variables; what Flax and JAX read as they are imported has no effect.
      arguments: what ``sys.argv`` has behind its first word.
      flags: of the interpreter.
      file: where the code stands, if it does in one.
    """
    origin = _origin(flags)
    assert origin.stdin is not None
    assert origin.stdout is not None
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        out.touch()
        err.touch()
        request = {
            "code": code,
            "file": file,
            "words": [file, *arguments],
            "environment": dict(environment),
            "streams": [os.devnull, str(out), str(err)],
        }
        print(json.dumps(request), file=origin.stdin, flush=True)
        status = int(origin.stdout.readline())
        return subprocess.CompletedProcess(code, status, out.read_text(), err.read_text())
