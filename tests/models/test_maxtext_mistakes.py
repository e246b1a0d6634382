"""Ten mistakes in each of MaxText's helpers are refused with their report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec as P, SingleDeviceSharding

from tests.models.maxtext_helpers import (
    Body,
    Change,
    Keys,
    at,
    combined,
    each,
    extracted,
    read,
    shardings_of,
    specs_of,
    with_shardings,
)
from tests.zoo import as_dict, named
from tests.zoo.meshes import mesh_of
from tests.zoo.sharded_transformer import value_of
from typedstate import StateTypeError

pytestmark = pytest.mark.skipif(len(jax.devices()) != 8, reason="needs 8 virtual devices")


REPORTS = Path(__file__).with_name("maxtext_reports.txt")
MODEL: Keys = ("model",)
MU: Keys = ("opt_state", 0, "mu")
EMBEDDING: Keys = (*MODEL, "embedding")
NORM: Keys = (*MODEL, "norm", "scale")
UP: Keys = (*MODEL, "blocks", "up")
DOWN: Keys = (*MODEL, "blocks", "down")
OUT: Keys = (*MODEL, "blocks", "attention", "out", "kernel")


@dataclass(frozen=True)
class Mistake:
    """One thing done wrong, in what is passed or in what the helper does.

    Attributes:
      name: what is wrong; its report stands under it in `REPORTS`.
      given: makes wrong arguments of right ones.
      body: the helper as it is wrong.
    """

    name: str
    given: Callable[..., Any] | None = None
    body: Body | None = None


def below(path: Keys, change: Change) -> Change:
    return each(lambda keys: keys[: len(path)] == path, change)


def branch(path: Keys, change: Change) -> Change:
    """Changes a leaf as a whole, or a branch; what becomes None is gone."""

    def changed(tree: Any) -> Any:
        root = found = as_dict(tree)
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = change(found[path[-1]])
        if found[path[-1]] is None:
            del found[path[-1]]
        return nnx.State(root)

    return changed


def swapped(one: Keys, other: Keys) -> Change:
    def changed(tree: Any) -> Any:
        flat = dict(nnx.to_flat_state(tree))
        first, second = value_of(flat[one]), value_of(flat[other])
        return at(other, lambda _: first)(at(one, lambda _: second)(tree))

    return changed


def after(body: Body, change: Change) -> Body:
    """A helper that spoils what it makes."""
    return lambda *args: change(body(*args))


def split(*names: Any) -> Change:
    return lambda sharding: NamedSharding(sharding.mesh, P(*names))


def remade(**changes: Any) -> Change:
    """An abstract array with another shape, dtype or sharding."""

    def changed(array: Any) -> Any:
        parts = {"shape": array.shape, "dtype": array.dtype, "sharding": array.sharding}
        return jax.ShapeDtypeStruct(**{**parts, **changes})

    return changed


def resplit(*names: Any) -> Change:
    return lambda array: remade(sharding=split(*names)(array.sharding))(array)


def of_one_kernel(named: Any) -> Any:
    """The specs, one of which has the names that stand in its metadata."""
    return at(OUT, lambda _: P("heads", "layers", "kv", "embed"))(read(named))


EXTRACTING = [
    Mistake(
        "an abstract model without shardings",
        given=below(MODEL, remade(sharding=None)),
    ),
    Mistake(
        "the names of one block on the stacked array",
        given=at(UP, resplit("fsdp", "tensor")),
    ),
    Mistake(
        "metadata that has lost the scanned axis",
        given=branch(UP, lambda leaf: named(nnx.Param, value_of(leaf), "embed", "mlp")),
    ),
    Mistake(
        "one block in the place of the stack",
        given=at(UP, lambda array: remade(shape=(16, 32))(resplit("fsdp", "tensor")(array))),
    ),
    Mistake(
        "an array in the place of its shape",
        given=at(NORM, lambda array: jnp.ones(array.shape)),
    ),
    Mistake(
        "specs for shardings",
        body=after(extracted, below((*MODEL, "blocks", "attention"), lambda at: at.spec)),
    ),
    Mistake(
        "moments that are whole on every device",
        body=after(extracted, below(MU, split())),
    ),
    Mistake(
        "two axes of one kernel swapped",
        body=after(extracted, at(OUT, split("fsdp", None, None, "tensor"))),
    ),
    Mistake(
        "only the parameters",
        body=after(extracted, lambda tree: nnx.filter_state(tree, nnx.Param)),
    ),
    Mistake(
        "the mesh of another job",
        body=after(
            extracted,
            at(EMBEDDING, lambda _: NamedSharding(jax.make_mesh((8,), ("data",)), P("data"))),
        ),
    ),
]
READING = [
    Mistake(
        "a spec already",
        given=at(UP, lambda at: at.spec),
    ),
    Mistake(
        "an abstract array that carries its sharding",
        given=at(UP, lambda at: jax.ShapeDtypeStruct((16, 3, 32), jnp.float32, sharding=at)),
    ),
    Mistake(
        "a sharding without axis names",
        given=at(UP, lambda _: SingleDeviceSharding(jax.devices()[0])),
    ),
    Mistake(
        "two leaves swapped",
        given=swapped(UP, DOWN),
    ),
    Mistake(
        "a layer that is not there",
        given=branch((*MODEL, "blocks", "norm2"), lambda _: None),
    ),
    Mistake(
        "the sharding itself",
        body=after(read, at(UP, lambda spec: NamedSharding(mesh_of(), spec))),
    ),
    Mistake(
        "logical names",
        body=of_one_kernel,
    ),
    Mistake(
        "a plain tuple",
        body=after(read, at(EMBEDDING, tuple)),
    ),
    Mistake(
        "a name more than axes",
        body=after(read, at(EMBEDDING, lambda spec: P(None, *spec))),
    ),
    Mistake(
        "nothing for what is not split",
        body=after(read, at(NORM, lambda _: None)),
    ),
]
SETTING = [
    Mistake(
        "shardings of the parameters only",
        given=lambda abstract, named: (abstract, nnx.filter_state(named, nnx.Param)),
    ),
    Mistake(
        "a size that the mesh can't divide",
        given=lambda abstract, named: (
            at(EMBEDDING, remade(shape=(25, 16), sharding=None))(abstract),
            named,
        ),
    ),
    Mistake(
        "blocks of two models",
        given=lambda abstract, named: (at(DOWN, remade(shape=(32, 4, 16)))(abstract), named),
    ),
    Mistake(
        "arguments of which one is a spec",
        given=lambda abstract, named: (abstract, at(EMBEDDING, lambda at: at.spec)(named)),
    ),
    Mistake(
        "int keys that were saved as text",
        given=lambda abstract, named: (
            abstract,
            branch(("opt_state",), lambda tree: {"0": tree[0]})(named),
        ),
    ),
    Mistake(
        "a sharding forgotten",
        body=after(combined, at(EMBEDDING, remade(sharding=None))),
    ),
    Mistake(
        "a shape turned over",
        body=after(combined, at(DOWN, remade(shape=(16, 3, 32), sharding=None))),
    ),
    Mistake(
        "another dtype",
        body=after(combined, at(("opt_state", 0, "count"), remade(dtype=jnp.float32))),
    ),
    Mistake(
        "an array without its Variable",
        body=after(combined, branch(NORM, value_of)),
    ),
    Mistake(
        "a moment as a parameter",
        body=after(
            combined,
            branch(
                (*MU, "embedding"),
                lambda leaf: named(nnx.Param, value_of(leaf), "vocab", "embed"),
            ),
        ),
    ),
]


def reports() -> dict[str, str]:
    """The messages by the names of the mistakes."""
    found: dict[str, str] = {}
    for block in REPORTS.read_text().strip().split("\n\n"):
        name, _, report = block.partition("\n")
        found[name.removeprefix("# ")] = report
    return found


@pytest.mark.parametrize(
    ("helper", "mistake"),
    [
        pytest.param(helper, mistake, id=mistake.name)
        for helper, mistakes in [
            (shardings_of, EXTRACTING),
            (specs_of, READING),
            (with_shardings, SETTING),
        ]
        for mistake in mistakes
    ],
)
def test_a_mistake_is_refused_with_its_report(abstract: Any, helper: Any, mistake: Mistake) -> None:
    named = extracted(abstract)
    right = {shardings_of: (abstract,), specs_of: (named,), with_shardings: (abstract, named)}
    args = right[helper] if mistake.given is None else mistake.given(*right[helper])
    wrong = args if isinstance(args, tuple) else (args,)
    with pytest.raises(StateTypeError) as error:
        helper(*wrong, **({} if mistake.body is None else {"body": mistake.body}))
    assert str(error.value) == reports()[mistake.name]


def test_there_are_ten_mistakes_for_each_helper() -> None:
    names = [mistake.name for mistake in (*EXTRACTING, *READING, *SETTING)]
    assert len(EXTRACTING) == len(READING) == len(SETTING) == 10
    assert list(reports()) == names
