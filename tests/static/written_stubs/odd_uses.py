"""What the stub of `odd_schemas` says; lines marked E are errors."""

from typing import Any, assert_type

import jax
import odd_schemas
from flax import nnx
from odd_schemas import (
    SEP,
    SIZES,
    TOTAL,
    Child,
    Config,
    Later,
    Net,
    Odd,
    Only1,
    Open,
    Outer,
    agen,
    coro,
    f,
    gen,
    loads,
)

P = nnx.Param[jax.Array]


def u(o: Odd, c: Child, n: Net, op: Open, one: Only1, out: Outer.Inner, k: str) -> None:
    assert_type(o["a-b"], P)
    assert_type(o['it\'s "quoted"\n'], P)
    assert_type(o[0], nnx.BatchStat[jax.Array])
    assert_type(o["kernel", 3], P)
    assert_type(o["values"], P)
    assert_type(o["opt"], P)
    assert_type(o.get("opt"), P | None)
    assert_type(o.get("opt", 3), P | int)
    assert_type(o["uni"], P | nnx.BatchStat[jax.Array])
    assert_type(o["later"], Later)
    assert_type(o["later"]["more"][0]["a-b"], P)
    assert_type(c["inner"]["w"], P)
    assert_type(c["only"]["w"], P)
    assert_type(c["own"], P)
    assert_type(op["own"], P)
    assert_type(op["else"], Any)
    assert_type(one["one"], P)
    assert_type(out["b"]["w"], P)
    assert_type(n.head, nnx.Linear)
    assert_type(n.sizes, dict[str, int])
    assert_type(Config(4).twice, int)
    assert_type(f(3), int)
    assert_type(list(gen()), list[int])
    assert_type(SIZES, dict[str, int])
    assert_type(TOTAL, int)
    assert_type(o.later, Later | None)
    o["a-b"] = o["kernel", 3]
    print(loads, SEP, coro, odd_schemas.dataclasses, odd_schemas.nnx)


async def v() -> None:
    async for x in agen():
        assert_type(x, int)


def wrong(o: Odd, c: Child, one: Only1) -> None:
    o["dashed"]  # E
    o["tied"]  # E
    o[1]  # E
    c["w"]  # E
    one["two"]  # E
    o["a-b"] = 3  # E
    c["own"] = c["only"]  # E
    o.get("nothing")  # E
    o.dashed  # E
    o.tied  # E
    o.values_  # E
