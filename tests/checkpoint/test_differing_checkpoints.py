"""A checkpoint that does not fit is refused with paths, before an array is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from beartype.vale import Is
from flax import nnx
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, BFloat16, Float, Int8, Shaped

from tests.zoo import LinearState
from tests.zoo.net import Net, NetState
from typedstate import Cast, Placed, StateTypeError, TypedState, explain, infer
from typedstate.checkpoint import restore, save, verify
from typedstate.layers import RngStreamState


def wrote(path: Path, tree: Any) -> Path:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)
    return path


def one_axis(value: Any) -> bool:
    return bool(value.ndim == 1)


def test_every_difference_is_named_at_once(tmp_path: Path, net: Any) -> None:
    pure = nnx.to_pure_dict(net)
    pure["head"]["weight"] = pure["head"].pop("kernel")
    pure["layers"][1]["kernel"] = jnp.zeros((8, 3))
    pure["layers"][0]["bias"] = jnp.zeros(8, jnp.int32)
    del pure["norm"]["mean"]
    report = verify(wrote(tmp_path / "c", pure), NetState)
    assert str(report).splitlines() == [
        "does not fit NetState: 5 violations",
        "  layers[0].bias: expected dtype Float, found int32[8] [dtype]",
        "  layers[1].kernel: dout is 3, but d=8 from layers[0].kernel, axis 0 [dim]",
        '  norm.mean: missing, expected Float[Array, "features"] [missing]',
        '  head.kernel: missing, expected Float[Array, "din dout"] [missing]',
        "  head.weight: not declared, found float32[8,4] [extra]",
        "  dims: d=8 classes=4",
        "  unknown: Orbax does not keep of which kind a Variable was",
    ]


def test_a_cause_stands_for_what_it_explains(tmp_path: Path) -> None:
    class Wanted(TypedState, extra={"w_{}": nnx.Param[BFloat16[Array, "n"]]}):
        scale: nnx.Param[Float[Array, "n"]]

    tree = {name: jnp.zeros(2) for name in ("scale", "w_0", "w_1", "w_2", "w_3")}
    report = verify(wrote(tmp_path / "c", tree), Wanted)
    wrong = "expected dtype BFloat16, found float32[2] [dtype]"
    assert str(report).splitlines()[:-2] == [
        "does not fit Wanted: 4 violations",
        "  cause: the arrays are float32 where BFloat16 is declared: "
        "Cast[..., Float32] takes those (4 leaves)",
        *(f"  w_{number}: {wrong}" for number in range(3)),
        "  and 1 more of that cause",
    ]


def test_restore_refuses_with_the_report_and_the_file(tmp_path: Path, net: Any) -> None:
    pure = nnx.to_pure_dict(net)
    del pure["norm"]["mean"]
    path = wrote(tmp_path / "c", pure)
    with pytest.raises(StateTypeError) as error:
        restore(path, NetState)
    assert str(error.value).splitlines()[:2] == [
        f"{path} does not fit NetState: 1 violation",
        '  norm.mean: missing, expected Float[Array, "features"] [missing]',
    ]
    assert error.value.report is not None
    with pytest.raises(StateTypeError, match="fill= gives what is missing"):
        restore(path, NetState, allow=["missing"])


def test_what_is_missing_comes_from_a_given_state(tmp_path: Path, net: Any, equal: Any) -> None:
    pure = nnx.to_pure_dict(net)
    del pure["norm"]["mean"]
    del pure["layers"][0]
    path = wrote(tmp_path / "c", pure)
    other = nnx.state(Net(seed=9))
    restored = restore(path, NetState, allow=["missing"], fill=other)
    assert restored.filled == ("layers[0].bias", "layers[0].kernel", "norm.mean")
    assert sorted(restored.state.layers) == [0, 1]
    assert equal(restored.state.layers[0], other["layers"][0])
    assert equal(restored.state.layers[1], net["layers"][1])


def test_what_is_not_declared_is_left_out_only_on_request(
    tmp_path: Path, net: Any, equal: Any
) -> None:
    tree = {**nnx.to_pure_dict(net), "ema": {"head": jnp.zeros(3)}}
    path = wrote(tmp_path / "c", tree)
    with pytest.raises(StateTypeError, match=r"ema: not declared"):
        restore(path, NetState)
    restored = restore(path, NetState, allow=["extra"])
    assert restored.left_out == ("ema.head",)
    assert equal(restored.state, net)


def test_a_dtype_is_cast_only_on_request(tmp_path: Path, net: Any) -> None:
    half = Cast[NetState, BFloat16]

    class HalfDense(TypedState):
        kernel: nnx.Param[BFloat16[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]]

    path = wrote(tmp_path / "c", {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)})
    with pytest.raises(
        StateTypeError, match=r"kernel: expected dtype BFloat16, found float32\[2,3\]"
    ):
        restore(path, HalfDense)
    restored = restore(path, HalfDense, allow=["dtype"])
    assert restored.cast == {"kernel": "float32"}
    assert restored.state.kernel[...].dtype == jnp.bfloat16
    assert restored.state.bias[...].dtype == jnp.float32
    assert not verify(path, half)


def test_a_float_kernel_does_not_become_int8_in_silence(tmp_path: Path) -> None:
    """Orbax casts a float32 kernel into an int8 target without a word."""

    class Quantised(TypedState):
        kernel: nnx.Param[Int8[Array, "din dout"]]

    path = wrote(tmp_path / "c", {"kernel": jnp.full((2, 2), 0.7)})
    target = {"kernel": jax.ShapeDtypeStruct((2, 2), jnp.int8)}
    with ocp.StandardCheckpointer() as checkpointer:
        assert (np.asarray(checkpointer.restore(path, target)["kernel"]) == 0).all()
    with pytest.raises(StateTypeError, match=r"kernel: expected dtype Int8, found float32"):
        restore(path, Quantised)


def test_two_dtypes_that_fit_are_a_choice(tmp_path: Path) -> None:
    path = wrote(tmp_path / "c", {"kernel": jnp.ones((2, 3), jnp.int32)})
    with pytest.raises(StateTypeError, match="dtype= says to what kernel is cast"):
        restore(path, LinearState, allow=["dtype"])
    restored = restore(path, LinearState, allow=["dtype"], dtype=jnp.float16)
    assert restored.state.kernel[...].dtype == jnp.float16


def test_only_three_things_may_differ(written: Any) -> None:
    with pytest.raises(ValueError, match="only dtype, extra, missing may differ"):
        restore(written("standard"), NetState, allow=["size"])  # type: ignore[list-item]


def test_a_kind_that_save_wrote_is_compared(tmp_path: Path) -> None:
    class Statistic(TypedState):
        mean: nnx.BatchStat[Float[Array, "d"]]

    class Weight(TypedState):
        mean: nnx.Param[Float[Array, "d"]]

    save(tmp_path / "c", nnx.State({"mean": nnx.BatchStat(jnp.zeros(3))}), Statistic)
    lines = str(verify(tmp_path / "c", Weight)).splitlines()
    assert lines[0] == "does not fit Weight: 1 violation"
    assert lines[1] == (
        "  cause: written for another schema: Statistic: ~ mean: kind was "
        'BatchStat[Float[Array, "d"]], is Param[Float[Array, "d"]] '
        "[breaks forward and backward]"
    )
    assert lines[2] == "  mean: expected Param, found BatchStat (as save wrote it) [kind]"
    assert verify(tmp_path / "c", Statistic).unknown == ()


def test_the_schema_that_it_was_written_for_is_compared(tmp_path: Path) -> None:
    class Positive(TypedState):
        scale: Annotated[nnx.Param[Float[Array, "d"]], Is[one_axis]]
        shift: nnx.Param[Float[Array, "d"]] | None

    class Any_(TypedState):
        scale: nnx.Param[Float[Array, "width"]]
        shift: nnx.Param[Float[Array, "width"]] | None

    class Wider(TypedState):
        scale: nnx.Param[Float[Array, "d"]]
        shift: nnx.Param[Shaped[Array, "d"]] | None
        gain: nnx.Param[Float[Array, "d"]] | None

    save(tmp_path / "c", nnx.State({"scale": nnx.Param(jnp.ones(3))}), Positive)
    assert verify(tmp_path / "c", Positive).unknown == ()
    assert str(verify(tmp_path / "c", Any_).unknown[0]) == (
        "written for another schema: Positive: ~ scale: validator was "
        "beartype.vale.Is[one_axis], is any value [may break]"
    )
    assert str(verify(tmp_path / "c", Wider).unknown[0]) == (
        "written for another schema: Positive: ~ scale: validator was "
        "beartype.vale.Is[one_axis], is any value [may break]; ~ shift: dtype was "
        'Float, is any dtype [breaks backward]; + gain: Param[Float[Array, "d"]] '
        "[breaks backward]"
    )


def test_another_mesh_and_fewer_devices(tmp_path: Path, equal: Any) -> None:
    class Dense(TypedState):
        kernel: Annotated[nnx.Param[Float[Array, "din dout"]], P("data", "model")]

    devices = np.array(jax.devices())
    assert len(devices) == 8
    eight = jax.sharding.Mesh(devices.reshape(4, 2), ("data", "model"))
    four = jax.sharding.Mesh(devices[:4].reshape(2, 2), ("data", "model"))
    at = jax.sharding.NamedSharding(eight, P("data", "model"))
    values = jnp.arange(64.0).reshape(8, 8)
    path = wrote(tmp_path / "c", {"kernel": jax.device_put(values, at)})
    restored = restore(path, Dense, mesh=four)
    kernel = restored.state.kernel[...]
    assert kernel.sharding == jax.sharding.NamedSharding(four, P("data", "model"))
    assert {shard.data.shape for shard in kernel.addressable_shards} == {(4, 4)}
    assert (kernel == values).all()
    assert explain(restored.state, Placed[Dense])


def test_rng_statistics_and_kinds_of_their_own_come_back(
    written: Any, net: Any, equal: Any
) -> None:
    """States that a filter for parameters drops at every resume."""
    restored = restore(written("standard"), NetState).state
    for kind in (nnx.RngKey, nnx.RngCount, nnx.BatchStat):
        assert jax.tree.leaves(nnx.filter_state(restored, kind))
    assert equal(restored.drop, net["drop"])
    assert equal(restored.norm, net["norm"])


def test_a_key_of_another_implementation_is_itself(tmp_path: Path) -> None:
    key, count = jax.random.key(0, impl="rbg"), jnp.zeros((), jnp.uint32)
    path = wrote(tmp_path / "c", {"key": key, "count": count})
    (restored,) = jax.tree.leaves(nnx.filter_state(restore(path, RngStreamState).state, nnx.RngKey))
    assert str(jax.random.key_impl(restored)) == "rbg"


def test_a_resume_does_not_begin_anew_in_silence(tmp_path: Path, net: Any, equal: Any) -> None:
    model = Net(seed=5)
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    parts = {"model": nnx.state(model), "optimizer": nnx.state(optimizer)}
    whole = nnx.State({name: part.raw_mapping for name, part in parts.items()})
    hint = infer(whole)
    alone = nnx.State({"model": nnx.state(model, nnx.Param).raw_mapping})
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "weights", alone)
    missing = [one.path for one in verify(tmp_path / "weights", hint).violations]
    assert {"model.norm.mean", "model.norm.var", "optimizer"} <= set(missing)
    with pytest.raises(
        StateTypeError, match=r"model.drop.rngs.(default.)?key: missing, .* \(it may be absent"
    ):
        restore(tmp_path / "weights", hint, fill=whole)
    found = restore(tmp_path / "weights", hint, fill=whole, allow={"missing"})
    assert "optimizer.step" in found.filled
    assert "model.norm.mean" in found.filled
    assert equal(found.state, whole)
    save(tmp_path / "all", whole, hint)
    assert restore(tmp_path / "all", hint).filled == ()
