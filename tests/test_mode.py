"""Development mode: boundaries enforce, warn, or are not there at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx
from jaxtyping import Array, Float

from tests.processes import forked
from tests.zoo import LinearState, state
from typedstate import StateTypeError, check, checked, fits, suspended

SOURCE = Path(__file__).parents[1] / "src"
USE = """
import warnings
from flax import nnx
import jax.numpy as jnp
from jaxtyping import Array, Float
from typedstate import TypedState, checked, check, fits, StateTypeError, TypedStateWarning

class S(TypedState):
    kernel: nnx.Param[Float[Array, "n"]]

def use(params: S, n: int = 1) -> S:
    return params if n == 1 else 3
plain = use
use = checked(use)
good = nnx.State({"kernel": nnx.Param(jnp.ones(2))})
"""


def run(code: str, *flags: str, mode: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own."""
    env = {name: value for name, value in os.environ.items() if name != "TYPEDSTATE"}
    path = os.pathsep.join([str(SOURCE), *filter(None, [env.get("PYTHONPATH")])])
    env["PYTHONPATH"] = path
    if mode is not None:
        env["TYPEDSTATE"] = mode
    return forked(code, env, flags=flags)


def output(code: str, *flags: str, mode: str | None = None) -> str:
    done = run(code, *flags, mode=mode)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


REFUSES = (
    USE
    + """
for args in ((3,), (good, "1"), (good, 2)):
    try:
        use(*args)
    except StateTypeError:
        print("refused")
"""
)
OFF = (
    USE
    + """
import sys
assert use is plain
use(3)
class T: pass
assert checked(T) is T
assert not fits(3, S) and fits(good, S)
try:
    check(3, S)
except StateTypeError:
    print("check still checks")
print(sorted({"beartype", "pydantic"} & set(sys.modules)))
"""
)


@pytest.mark.parametrize("mode", [None, ""])
def test_on_is_the_default(mode: str | None) -> None:
    assert output(REFUSES, mode=mode) == "refused\nrefused\nrefused"


@pytest.mark.parametrize(("flags", "mode"), [((), "off"), (("-O",), None)])
def test_off(flags: tuple[str, ...], mode: str | None) -> None:
    assert output(OFF, *flags, mode=mode) == "check still checks\n[]"


def test_on_is_stronger_than_python_o() -> None:
    assert output(REFUSES, "-O", mode="on") == "refused\nrefused\nrefused"


def test_warn() -> None:
    code = (
        USE
        + """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert use(3) == 3
    assert use(good, "1") == 3
    assert use(good, 2) == 3
    assert use(good) is good
for item in caught:
    print(item.category.__name__, item.filename, str(item.message).splitlines()[0])
"""
    )
    lines = output(code, mode="warn").splitlines()
    assert lines[0] == "TypedStateWarning <string> the arguments of use() do not fit: 1 violation"
    assert lines.count(lines[0]) == 2
    assert lines[-1] == (
        "TypedStateWarning <string> the return value of use() does not fit: 1 violation"
    )
    assert all(line.startswith("TypedStateWarning") for line in lines)


def test_an_unknown_mode_lists_the_modes() -> None:
    done = run("import typedstate; typedstate.checked", mode="strict")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ValueError: TYPEDSTATE='strict' is no mode: the modes are on, warn, off"
    )


def test_importing_pulls_in_nothing_heavy() -> None:
    code = """
import sys
import flax.nnx, jaxtyping
before = set(sys.modules)
import typedstate
for name in typedstate.__all__:
    if name not in ("doctor", "SchemaDocument"):  # a document is a model of pydantic
        getattr(typedstate, name)
from flax import nnx
class S(typedstate.TypedState):
    kernel: nnx.Param[jaxtyping.Float[jaxtyping.Array, "n"]]
assert not isinstance(nnx.State({}), S)
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new & {"beartype", "pydantic", "pydantic_core", "orbax", "hypothesis", "rich"}))
"""
    assert output(code) == "[]"


def test_what_an_import_costs_is_bounded_by_what_it_imports() -> None:
    code = """
import sys
import flax.nnx, jaxtyping
before = set(sys.modules)
import typedstate
alone = set(sys.modules) - before
from typedstate import TypedState, Bind, checked
used = set(sys.modules) - before
print(sorted(name for name in alone if not name.startswith("lazy_loader")))
print(sorted({name.partition(".")[0] for name in used}))
print(sum(name.startswith("typedstate.") for name in used) < 98)
"""
    assert output(code).splitlines() == [
        "['typedstate', 'typedstate._lazy']",
        "['lazy_loader', 'msgspec', 'typedstate']",
        "True",
    ]


def test_what_only_a_check_needs_is_imported_by_the_first_check() -> None:
    code = """
import sys
from flax import nnx
from jaxtyping import Array, Float
from typedstate import Bind, TypedState, checked
class LinearState(TypedState):
    kernel: nnx.Param[Float[Array, "din dout"]]
class NetState(TypedState):
    head: Bind[LinearState, "din=d dout=classes"]
@checked
def use(state: NetState, x: Float[Array, "d"], n: int = 1) -> NetState: ...
checkers = (
    "_validation.arrays _validation.dim_binding _validation.findings _validation.walk "
    "_fastpath.size_constraints _fastpath.guard_code _compat.module_layout _sharding.compare"
).split()
def loaded(): return [name for name in checkers if f"typedstate.{name}" in sys.modules]
print(loaded())
assert not isinstance(nnx.State({}), NetState)
print("_validation.walk" in loaded())
"""
    assert output(code).splitlines() == ["[]", "True"]


# -- suspended ---------------------------------------------------------------------------------


@checked
def use(params: LinearState, n: int = 1) -> LinearState:
    return params


def refuses(call: Callable[[], Any]) -> bool:
    try:
        call()
    except StateTypeError:
        return True
    return False


def test_suspended_mutes_a_block() -> None:
    wrong: Any = state({})
    with suspended():
        assert use(wrong, "n") is wrong  # type: ignore[arg-type]
        with suspended():
            pass
        assert use(wrong) is wrong
        assert not fits(wrong, LinearState)
        assert refuses(lambda: check(wrong, LinearState))
    assert refuses(lambda: use(wrong))
    with pytest.raises(KeyError), suspended():
        raise KeyError
    assert refuses(lambda: use(wrong))


def test_suspended_is_of_one_thread() -> None:
    wrong: Any = state({})
    seen: list[bool] = []
    with suspended():
        thread = threading.Thread(target=lambda: seen.append(refuses(lambda: use(wrong))))
        thread.start()
        thread.join()
        assert not refuses(lambda: use(wrong))
    assert seen == [True]


def test_suspended_is_of_one_task() -> None:
    wrong: Any = state({})

    async def muted() -> list[bool]:
        seen = []
        with suspended():
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(refuses(lambda: use(wrong)))
        return seen

    async def loud() -> list[bool]:
        seen = []
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(refuses(lambda: use(wrong)))
        return seen

    async def main() -> list[list[bool]]:
        return await asyncio.gather(muted(), loud(), muted(), loud())

    assert asyncio.run(main()) == [[False] * 3, [True] * 3, [False] * 3, [True] * 3]


def test_suspended_mutes_generators_and_late_functions() -> None:
    @checked
    def items(params: LinearState) -> Any:
        got = yield params
        yield got

    @checked
    async def more(params: LinearState) -> Any:
        got = yield params
        yield got

    @checked
    def late(params: NotThere) -> int:  # type: ignore[name-defined]
        return 1

    async def talk() -> Any:
        running = more(3)  # type: ignore[arg-type]
        await anext(running)
        return await running.asend(5)

    with suspended():
        running = items(3)  # type: ignore[arg-type]
        next(running)
        assert running.send(4) == 4
        assert asyncio.run(talk()) == 5
        assert late(3) == 1


def test_names_in_the_body_are_unknown_while_suspended() -> None:
    @checked
    def body(x: Float[Array, "n"]) -> bool:
        return isinstance(jnp.ones(7), Float[Array, "n"])

    assert not body(jnp.ones(3))
    with suspended():
        assert body(jnp.ones(3))


def test_a_state_from_flax_is_accepted_in_every_mode() -> None:
    linear = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    assert use(nnx.state(linear)) is not None
