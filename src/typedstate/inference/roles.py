"""Roles of axes: the width of the stream through a model, a width inside a layer, heads.

A role follows from the layer, from the attribute that holds the layer, from the letters of an
einsum, or from a named size of the module. `linking` ties axes whose roles agree, `naming` names
them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: Roles of widths that layers pass on to each other.
STREAM, IN, OUT, FEATURES, PROJECTED = "stream", "in", "out", "features", "projected"
#: Roles that belong to one layer or table; only axes of the same role are tied.
INNER, VOCAB, HEADS, KV_HEADS, HEAD_DIM = "hidden", "vocab", "heads", "kv_heads", "head_dim"
CLASSES, LENGTH, RANK, LAYERS, WINDOW, ANY = "classes", "length", "rank", "layers", "window", "any"
PLACE = "place"  # an axis that no other is tied to: a position, an index

WIDTHS: Final = frozenset({STREAM, IN, OUT, FEATURES, PROJECTED})


@dataclass(frozen=True, slots=True)
class Role:
    """The role of an axis, and the name that follows from it.

    Attributes:
      kind: one of the roles above.
      name: a suggested name of the dim; empty for the kind's usual name.
    """

    kind: str
    name: str = ""


_UP: Final = re.compile(
    r"(^|_)(up|gate|gating|fc_?1|w_?1|w_?3|wi(_?\d)?|lin(ear)?_?1|dense_?1|layer_?1|c_fc|expand|"
    r"intermediate|ff_proj|fc_in|w_?gate|w_?up|mlp_?1|dense_h_to_4h|in_layer)(_?proj)?$"
)
_DOWN: Final = re.compile(
    r"(^|_)(down|fc_?2|w_?2|wo(_mlp)?|lin(ear)?_?2|dense_?2|layer_?2|c_proj|contract|ff_out|fc_out|"
    r"w_?down|mlp_?2|dense_4h_to_h)(_?proj)?$"
)
_QKV: Final = re.compile(
    r"(^|_)(q|k|v|qkv|kv|query|key|value|wq|wk|wv|to_q|to_k|to_v|to_qkv|q_lin|k_lin|v_lin|in_proj|"
    r"c_attn)(_?(proj|projection|einsum|linear))?$"
)
_ROUTER: Final = re.compile(r"(^|_)router(_|$)")
_MERGE: Final = re.compile(
    r"(^|_)(o|out|output|wo|to_out|out_lin|attn_out|attn_vec|dense)(_?(proj|projection|einsum))?$"
)
_HEAD: Final = re.compile(
    r"(^|_)(head|classifier|classification|logits?|labels?|decision|predictor|fc|cls_head|"
    r"output_layer|score)(_?(proj|head|dense|layer))?$"
)
_VOCAB_HEAD: Final = re.compile(
    r"(^|_)(lm_?head|unembed|vocab|decoder_out|proj_out|token_out|output_embedding)"
)
_POSITIONS: Final = re.compile(r"pos(ition|itions|_|$)|positional|wpe")
_TOKEN_TYPES: Final = re.compile(r"(^|_)(token_type|segment|type)")
_LABELS: Final = re.compile(r"label|class|(^|_)y_emb")
_TIMES: Final = re.compile(r"(^|_)(time|timestep)s?($|_)")
_CACHE: Final = re.compile(r"^(k|v|key|value)_?cache|^cached?_(k|v|key|value)")
_MOMENT: Final = re.compile(r"(^|_)(mean|mu|loc|std|sigma|var|log_?(var|std|sigma))$")
_ENCODER: Final = re.compile(r"Encoder|VAE|Vae|Autoencoder")
_QK_NORM: Final = re.compile(r"(^|_)(q|k|query|key)_?(layer)?(norm|ln)$")

#: Names of sizes among the attributes of modules and configurations.
_SIZES: Final = (
    (re.compile(r"^(vocab(ulary)?(_size)?|num_embed|num_embeddings|n_vocab|num_tokens)$"), VOCAB),
    (re.compile(r"^(num_|n_)?(kv_heads|key_value_heads|kv_head)$"), KV_HEADS),
    (re.compile(r"^(\w+_)?(num_|n_)?(\w+_)?(heads?|attention_heads)$"), HEADS),
    (re.compile(r"^(head_?dim|d_head|head_size|d_kv|per_head_dim|dim_head)$"), HEAD_DIM),
    (re.compile(r"^(num_|n_)?(class(es)?|labels)$"), CLASSES),
    (
        re.compile(
            r"^(\w+_)?(mlp_dim|mlp_hidden_size|intermediate_(size|dim)|ffn?_dim|d_ff|mlp_size|"
            r"feed_?forward_dim|mlp_ratio_dim|dim_feedforward|ffw_hidden|inner_dim|d_inner)$"
        ),
        INNER,
    ),
    (
        re.compile(
            r"^(d|dim|d_model|(\w+_)?embed(ding)?_dim|emb_dim|emb_size|hidden_size|n_embd|"
            r"model_dim|width|embed_size|features|num_features|hidden_dim|n_embed)$"
        ),
        STREAM,
    ),
    (re.compile(r"^(lora_)?(rank|r)$"), RANK),
)
#: The axes of a convolution's window, by their number.
_WINDOWS: Final = {1: ("window",), 2: ("kh", "kw"), 3: ("kd", "kh", "kw")}
#: Logical names of axes, as T5X and MaxText have them.
_AXES: Final = (
    (re.compile(r"^(embed(_\w+)?|emb|d_model|model_dim)$"), Role(STREAM)),
    (re.compile(r"^(mlp(_\w+)?|ffn|d_ff)$"), Role(INNER)),
    (re.compile(r"^(q_|num_)?heads?$"), Role(HEADS)),
    (re.compile(r"^(num_)?kv_heads?$"), Role(KV_HEADS)),
    (re.compile(r"^(kv|head_dim|[qk]v?_head_dim)$"), Role(HEAD_DIM)),
    (re.compile(r"^joined_kv$"), Role(PROJECTED)),
    (re.compile(r"^vocab$"), Role(VOCAB)),
    (re.compile(r"^(exp|experts)$"), Role(ANY, "experts")),
    (re.compile(r"^norm$"), Role(FEATURES)),
)
#: Letters of an einsum in the usual hands.
_LETTERS: Final = {
    "D": STREAM,
    "E": STREAM,
    "F": INNER,
    "N": HEADS,
    "K": KV_HEADS,
    "H": HEAD_DIM,
    "V": VOCAB,
}


def of_size(name: str) -> Role:
    """The role of a size by its name in a module or configuration."""
    for pattern, kind in _SIZES:
        if pattern.match(name):
            return Role(kind)
    plain = re.sub(r"^(num_|n_|max_)|(_size|_dim|_features|_len|_length|_channels)$", "", name)
    return Role(ANY, plain if plain.isidentifier() and len(plain) > 1 else "")


def of_projection(key: str) -> tuple[Role, Role]:
    """The roles of a layer's input and output width, by the attribute that holds the layer."""
    key = key.lower()
    if _VOCAB_HEAD.search(key):
        return Role(STREAM), Role(VOCAB)
    if _UP.search(key):
        return Role(STREAM), Role(INNER)
    if _DOWN.search(key):
        return Role(INNER), Role(STREAM)
    if _ROUTER.search(key):
        return Role(STREAM), Role(OUT, "experts")
    if _QKV.search(key):
        return Role(STREAM), Role(PROJECTED)
    if _HEAD.search(key):
        return Role(IN), Role(CLASSES)
    if _MERGE.search(key):
        return Role(PROJECTED), Role(STREAM)
    return Role(IN), Role(OUT)


def is_first_half(key: str) -> bool:
    """Whether an attribute is called as the first half of an MLP is, its gate too."""
    return _UP.search(key.lower()) is not None


def is_second_half(key: str) -> bool:
    """Whether an attribute is called as the second half of an MLP is."""
    return _DOWN.search(key.lower()) is not None


def is_query(key: str) -> bool:
    """Whether an attribute is called as what makes queries, keys or values is."""
    return _QKV.search(key.lower()) is not None


def is_merge(key: str) -> bool:
    """Whether an attribute is called as what comes after attention is, and as nothing else."""
    key = key.lower()
    others = (_VOCAB_HEAD, _UP, _DOWN, _QKV, _HEAD)
    return _MERGE.search(key) is not None and not any(found.search(key) for found in others)


def is_latent(title: str, key: str) -> bool:
    """Whether a layer makes the mean or the deviation of an encoder's latent variables."""
    return bool(_ENCODER.search(title) and _MOMENT.search(key.lower()))


def of_norm(key: str) -> Role:
    """The role of the axis that a norm normalises."""
    return Role(HEAD_DIM) if _QK_NORM.search(key.lower()) else Role(FEATURES)


def of_table(key: str) -> Role:
    """The role of the rows of an embedding."""
    key = key.lower()
    if _POSITIONS.search(key):
        return Role(PLACE, "positions")
    if _TOKEN_TYPES.search(key):
        return Role(PLACE, "types")
    if _LABELS.search(key):
        return Role(CLASSES)
    if _TIMES.search(key):
        return Role(PLACE, "times")
    if re.search(r"relative|bias|bucket", key):
        return Role(PLACE, "buckets")
    return Role(VOCAB)


def of_layer(schema: str, dim: str, key: str) -> Role:
    """The role of a dim of a catalogue class, held by an attribute."""
    match schema, dim:
        case (("LinearState" | "LoRALinearState" | "LoRAState"), ("din" | "dout")):
            return of_projection(key)[dim == "dout"]
        case (("ConvState" | "ConvTransposeState"), ("din" | "dout")):
            if re.search(r"patch|^proj(ection)?$", key.lower()) and dim == "dout":
                return Role(STREAM)
            return Role(IN if dim == "din" else OUT, "channels")
        case "EmbedState", "vocab":
            return of_table(key)
        case "EmbedState", _:
            return Role(PLACE, "heads") if of_table(key).name == "buckets" else Role(STREAM)
        case "MultiHeadAttentionState", ("din" | "dkv" | "dout"):
            return Role(STREAM)
        case "SplitHeadsState", "heads" if re.search(r"^(k|v|key|value|wk|wv)", key.lower()):
            return Role(KV_HEADS)
        case (("SplitHeadsState" | "MergeHeadsState"), ("din" | "dout")):
            return Role(STREAM)
        case _, ("heads" | "kv_heads" | "head_dim" | "rank" | "vocab"):
            return Role(dim)
        case _, "length":
            return Role(LENGTH)
        case _, "features":
            return of_norm(key)
        case _, "hidden":
            return Role(STREAM, "hidden")
        case _, "din":
            return Role(IN)
        case _, "dout":
            return Role(OUT)
        case _:
            return Role(PLACE, dim)


def of_letters(equation: str, rank: int) -> tuple[Role, ...] | None:
    """The roles of a weight's axes by the equation of its einsum: ``BTD,DNH->BTNH``."""
    left, _, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != 2:
        return None
    data, weight = terms[0].replace("...", ""), terms[1].replace("...", "")
    if len(weight) != rank or not weight.isalpha():
        return None
    upper = weight.upper()
    found: list[Role] = []
    for letter, name in zip(weight, upper, strict=True):
        kind = _LETTERS.get(name)
        if name == "K" and "N" not in upper and "H" not in upper:
            kind = None
        if kind is None or (kind == STREAM and sum(x in "DE" for x in upper) > 1):
            kind = OUT if letter in result and letter not in data and rank == 2 else PLACE
            kind = IN if letter in data and letter not in result else kind
        found.append(Role(kind))
    return tuple(found)


def of_axis_names(names: Sequence[object], roles: Sequence[Role]) -> tuple[Role, ...]:
    """The roles of a leaf's axes, where their names in its sharding metadata tell more.

    Logical names (``P("embed", "q_heads", "kv")``) are roles already; those of a mesh (``fsdp``,
    ``model``) say nothing.

    Args:
      names: the names in the metadata.
      roles: the roles that the axes have without them, as many.
    """
    told = [_of_axis_name(name) for name in names]
    kinds = {role.kind for role in told if role is not None}
    if not kinds or kinds == {HEAD_DIM}:
        return tuple(roles)
    return tuple(
        role or (Role(PLACE, name) if isinstance(name, str) else other)
        for role, name, other in zip(told, names, roles, strict=True)
    )


def _of_axis_name(name: object) -> Role | None:
    if not isinstance(name, str):
        return None
    if re.search(r"(^|_)(lora|latent)(_|$)", name):  # a width, which norms may have
        return Role(ANY, name)
    return next((role for pattern, role in _AXES if pattern.match(name)), None)


def of_kernel(rank: int) -> tuple[Role, ...]:
    """The roles of the axes of a convolution's kernel."""
    ends = (Role(IN, "channels"), Role(OUT, "channels"))
    return (*_of_window(rank - 2), *ends)


def of_run(schema: str, name: str, rank: int) -> tuple[Role, ...]:
    """The roles of the axes in a run of a catalogue class."""
    if schema in ("ConvState", "ConvTransposeState"):
        return _of_window(rank)
    return (Role(PLACE, name),) * rank


def _of_window(rank: int) -> tuple[Role, ...]:
    return tuple(Role(WINDOW, name) for name in _WINDOWS.get(rank, ("window",) * rank))


def of_leaf(key: str, rank: int, sole: bool) -> tuple[Role, ...]:
    """The roles of the axes of a leaf that a user's own module holds.

    Args:
      key: the attribute of the leaf.
      rank: the number of its axes.
      sole: whether all leaves of the module have one axis.
    """
    low = key.lower()
    if rank == 0:
        return ()
    if rank == 4 and _CACHE.search(low):
        return Role(ANY, "batch"), Role(ANY, "length"), Role(KV_HEADS), Role(HEAD_DIM)
    if re.search(r"^(.*_)?(embedding|embeddings|embed|wte|input_embedding|table)s?$", low) and (
        rank == 2 and not _POSITIONS.search(low)
    ):
        return Role(of_table(low).kind, of_table(low).name), Role(STREAM)
    if _POSITIONS.search(low) or re.search(r"(token|query|queries|latent)s?$", low):
        if rank == 1:
            return (Role(FEATURES),)
        last = Role(STREAM)
        name = "positions" if _POSITIONS.search(low) else "tokens"
        return (*(Role(PLACE) for _ in range(rank - 2)), Role(PLACE, name), last)
    if re.search(r"^(lora_a|w_lora_a|.*_lora_a)$", low) and rank == 2:
        return Role(IN), Role(RANK)
    if re.search(r"^(lora_b|w_lora_b|.*_lora_b)$", low) and rank == 2:
        return Role(RANK), Role(OUT)
    if rank == 1 and re.search(r"(^|_)(attn_|attention_)?sinks?$", low):
        return (Role(HEADS),)
    if rank == 1:
        return (Role(FEATURES if sole else ANY),)
    if re.search(r"^(w|kernel|weight|weights|matrix)$", low):
        if rank == 2:
            return Role(IN), Role(OUT)
        if rank >= 4 and low == "kernel":
            return of_kernel(rank)
    if rank == 3 and {role.kind for role in of_projection(low)} == {STREAM, INNER}:
        return Role(ANY, "experts"), *of_projection(low)
    if rank == 2:
        first, last = of_projection(low)
        return (first, last) if first.kind != IN else (Role(IN), Role(OUT))
    return tuple(Role(ANY) for _ in range(rank))


_TOLD: Final = (
    VOCAB, CLASSES, HEADS, KV_HEADS, HEAD_DIM, INNER, RANK, LENGTH, LAYERS, WINDOW, PLACE,
)  # fmt: skip


def common(roles: Sequence[Role]) -> Role:
    """The common role of tied axes."""
    kinds = {role.kind for role in roles}
    names = [role.name for role in roles if role.name]
    for kind in _TOLD:
        if kind in kinds:
            own = [role.name for role in roles if role.kind == kind and role.name]
            square = kind == WINDOW and len({*own}) > 1
            return Role(kind, own[0] if own and not square else "")
    name = names[0] if names else ""
    if STREAM in kinds or {IN, OUT} <= kinds or {PROJECTED, IN} <= kinds:
        return Role(STREAM, name)
    for kind in (IN, OUT, PROJECTED, FEATURES):
        if kind in kinds:
            return Role(kind, name)
    return Role(ANY, name)
