"""The schemas' static suite describes Flax 0.12; type parameters in brackets need Python 3.12."""

import sys

from flax import nnx

collect_ignore_glob: list[str] = []
if not hasattr(nnx, "restore_int_paths"):
    collect_ignore_glob += ["test_schema_*.py", "test_plugin_modules.py", "test_plugin_calls.py"]
elif sys.version_info < (3, 12):
    collect_ignore_glob += ["test_schema_brackets.py"]
