"""What `infer` says of bonsai Qwen3's cache."""

from flax import nnx
from jaxtyping import Array, Float, Int32

from typedstate import Bind, Exactly, StateMap, TypedState


class LayerCacheState(TypedState):
    k_cache: nnx.Cache[Float[Array, "batch length kv_heads head_dim"]]
    v_cache: nnx.Cache[Float[Array, "batch length kv_heads head_dim"]]
    start_ind: Exactly[nnx.Variable[Int32[Array, "batch"]]]
    cur_ind: Exactly[nnx.Variable[Int32[Array, ""]]]


ModelState = Bind[
    StateMap[int, Bind[LayerCacheState, "batch length kv_heads head_dim"]],
    "len=layers",
]
