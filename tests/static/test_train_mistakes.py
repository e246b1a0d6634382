"""Which of the mistakes in `schemas/plugin_train_mistakes.py` pyright reports: it has no plugin."""

import json
import re
import sys

import pytest
from flax import nnx
from type_checkers import SCHEMAS, installed, run

MISTAKES = SCHEMAS / "plugin_train_mistakes.py"
#: What says that a use is wrong, beside rules about what is unknown or unused.
RULES = {"reportArgumentType", "reportCallIssue", "reportAttributeAccessIssue"}

pytestmark = pytest.mark.skipif(
    not hasattr(nnx, "restore_int_paths"), reason="the static suite is about Flax 0.12"
)


def marked() -> list[str]:
    return MISTAKES.read_text().splitlines()


def test_every_function_has_a_mistake_that_the_plugin_sees() -> None:
    functions = MISTAKES.read_text().split("\n\n\ndef ")[1:]
    assert len(functions) >= 20
    assert not [text.partition("(")[0] for text in functions if "  # E: " not in text]


@installed("pyright")
def test_pyright_sees_what_is_marked() -> None:
    found = run(
        sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", MISTAKES
    )
    reports = json.loads(found.stdout)["generalDiagnostics"]
    seen = {item["range"]["start"]["line"] for item in reports if item.get("rule") in RULES}
    wanted = {number for number, line in enumerate(marked()) if re.search(r"  # pyright$", line)}
    assert seen == wanted
    assert wanted
