"""Operations on a module's state before its leaves are examined: transforms, splits, copies.

Each context takes a fresh node and says, in the notation of `leaf`, which leaves its code sees
there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typedstate.doctor.guard import NotApplicable
from typedstate.doctor.installed import jax, jnp, module, named, nnx
from typedstate.doctor.leaf import is_leaf, is_variable, summary, tree_summary

Look = Callable[[Any], Any]


@dataclass(frozen=True)
class MeetingPlace:
    """A place where user code meets a state.

    Attributes:
        name: How tables call it.
        look: Takes a node and returns the leaves found there.
    """

    name: str
    look: Callable[[Any], str]


class Sight:
    """The observations of a traced function; if it is traced several times, the last run counts."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.seen = "not reached"

    def look(self, tree: Any) -> None:
        """Note the leaves of a state inside the trace."""
        self.seen = tree_summary(tree)


def _within(run: Callable[[Look, Any], object]) -> Callable[[Any], str]:
    """A context that shows a state to code inside a transform."""

    def look(node: Any) -> str:
        sight = Sight()

        def body(state: Any) -> Any:
            sight.look(state)
            return jnp.zeros(())

        run(body, nnx.state(node))
        return sight.seen

    return look


def _after(run: Look) -> Callable[[Any], str]:
    """A context in which the result of a call on the state is looked at."""
    return lambda node: tree_summary(run(nnx.state(node)))


def _unchanged(tree: Any) -> Any:
    return tree


def _attributes(node: Any) -> str:
    return summary([value for _, value in nnx.iter_graph(node) if is_leaf(value)])


def _tree_split(node: Any) -> str:
    _, state = nnx.split(node, graph=False)
    return tree_summary(state)


def _merged(node: Any) -> str:
    return tree_summary(nnx.state(nnx.merge(*nnx.split(node))))


def _pure(state: Any) -> Any:
    return named(nnx, "as_pure", "pure")(state)


def _flat(node: Any) -> str:
    return summary([leaf for _, leaf in nnx.to_flat_state(nnx.state(node))])


def _jax_leaves(node: Any) -> str:
    return summary(jax.tree.leaves(nnx.state(node)))


def _in_nnx_jit(node: Any) -> str:
    sight = Sight()

    def body(node: Any) -> None:
        sight.look(nnx.state(node))

    nnx.jit(body)(node)
    return sight.seen


def _loss(tree: Any) -> Any:
    return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree))


def _params(node: Any) -> Any:
    params = nnx.state(node, nnx.Param)
    if not jax.tree.leaves(params):
        raise NotApplicable
    return params


def _gradient(node: Any, transform: Callable[[Callable[[Any], Any], Any], Any]) -> tuple[str, Any]:
    sight = Sight()

    def loss(params: Any) -> Any:
        sight.look(params)
        return _loss(params)

    result = transform(loss, _params(node))
    return sight.seen, result


def _in_grad(node: Any) -> str:
    return _gradient(node, lambda loss, params: jax.grad(loss)(params))[0]


def _gradients(node: Any) -> str:
    return tree_summary(_gradient(node, lambda loss, params: jax.grad(loss)(params))[1])


def _in_jvp(node: Any) -> str:
    return _gradient(node, lambda loss, params: jax.jvp(loss, (params,), (params,)))[0]


def _nnx_grad(node: Any) -> tuple[str, Any]:
    _params(node)
    sight = Sight()

    def loss(node: Any) -> Any:
        sight.look(nnx.state(node, nnx.Param))
        return _loss(nnx.state(node, nnx.Param))

    gradients = nnx.grad(loss)(node)
    return sight.seen, gradients


def _stacked(leaf: Any) -> Any:
    return leaf if is_variable(leaf) else jnp.stack([leaf, leaf])


def _vmap(body: Look, state: Any) -> None:
    if not jax.tree.leaves(state):
        raise NotApplicable
    jax.vmap(body)(jax.tree.map(_stacked, state))


def _carried(body: Look, state: Any) -> Any:
    body(state)
    return state


def _scan(body: Look, state: Any) -> None:
    def step(carry: Any, _: Any) -> Any:
        return _carried(body, carry), None

    def loop(state: Any) -> Any:
        return jax.lax.scan(step, state, None, length=2)

    jax.make_jaxpr(loop)(state)


def _fori_loop(body: Look, state: Any) -> None:
    def step(_: Any, carry: Any) -> Any:
        return _carried(body, carry)

    def loop(state: Any) -> Any:
        return jax.lax.fori_loop(0, 2, step, state)

    jax.make_jaxpr(loop)(state)


def _cond(body: Look, state: Any) -> None:
    def branch(state: Any) -> Any:
        return jax.lax.cond(jnp.asarray(True), body, body, state)

    jax.make_jaxpr(branch)(state)


def _shard_map(body: Look, state: Any) -> None:
    transform = named(jax, "shard_map") or module("jax.experimental.shard_map").shard_map
    mesh = jax.sharding.Mesh(jax.devices()[:1], ("d",))
    spec = jax.sharding.PartitionSpec()
    transform(body, mesh=mesh, in_specs=(spec,), out_specs=spec)(state)


def _built_abstractly(node: Any) -> str:
    graphdef, state = nnx.split(node)
    return tree_summary(nnx.state(nnx.eval_shape(lambda: nnx.merge(graphdef, state))))


CONTEXTS: tuple[MeetingPlace, ...] = (
    MeetingPlace("the live module", _attributes),
    MeetingPlace("nnx.state", _after(_unchanged)),
    MeetingPlace("nnx.split", lambda node: tree_summary(nnx.split(node)[1])),
    MeetingPlace("nnx.split(graph=False)", _tree_split),
    MeetingPlace("nnx.merge", _merged),
    MeetingPlace("nnx.clone", lambda node: tree_summary(nnx.state(nnx.clone(node)))),
    MeetingPlace("nnx.to_flat_state", _flat),
    MeetingPlace("nnx.to_pure_dict", _after(lambda state: nnx.to_pure_dict(state))),
    MeetingPlace("nnx.pure", _after(_pure)),
    MeetingPlace("jax.tree.leaves", _jax_leaves),
    MeetingPlace("jax.tree.map", _after(lambda state: jax.tree.map(_unchanged, state))),
    MeetingPlace("copy.deepcopy", _after(lambda state: module("copy").deepcopy(state))),
    MeetingPlace("jax.device_get", _after(lambda state: jax.device_get(state))),
    MeetingPlace("in jax.jit", _within(lambda body, state: jax.jit(body).trace(state))),
    MeetingPlace("out of jax.jit", _after(lambda state: jax.jit(_unchanged)(state))),
    MeetingPlace("in nnx.jit", _in_nnx_jit),
    MeetingPlace("in jax.grad", _in_grad),
    MeetingPlace("out of jax.grad", _gradients),
    MeetingPlace("in nnx.grad", lambda node: _nnx_grad(node)[0]),
    MeetingPlace("out of nnx.grad", lambda node: tree_summary(_nnx_grad(node)[1])),
    MeetingPlace("in jax.jvp", _in_jvp),
    MeetingPlace("in jax.vmap", _within(_vmap)),
    MeetingPlace("in jax.lax.scan", _within(_scan)),
    MeetingPlace("in jax.lax.fori_loop", _within(_fori_loop)),
    MeetingPlace("in jax.lax.cond", _within(_cond)),
    MeetingPlace("in jax.checkpoint", _within(lambda body, state: jax.checkpoint(body)(state))),
    MeetingPlace("in jax.shard_map", _within(_shard_map)),
    MeetingPlace("in jax.eval_shape", _within(lambda body, state: jax.eval_shape(body, state))),
    MeetingPlace("out of jax.eval_shape", _after(lambda state: jax.eval_shape(_unchanged, state))),
    MeetingPlace("out of nnx.eval_shape", _built_abstractly),
)
