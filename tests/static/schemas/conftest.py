"""The schemas' static suite describes Flax 0.12; type parameters in brackets need Python 3.12."""

import sys

from flax import nnx

collect_ignore: list[str] = []
if not hasattr(nnx, "restore_int_paths"):
    collect_ignore += ["test_schema_access.py", "test_schema_forms.py", "test_schema_functions.py"]
    collect_ignore += ["test_schema_doors.py", "test_schema_brackets.py"]
    collect_ignore += ["test_schema_form_arguments.py"]
elif sys.version_info < (3, 12):
    collect_ignore += ["test_schema_brackets.py"]
