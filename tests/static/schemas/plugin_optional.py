"""With ``report_unguarded_optional``: optional fields that are read before their presence is known."""

# fmt: off

from schema_models import LinearState, ModelState

from typedstate import Having


def unguarded(state: LinearState, model: ModelState) -> None:
    state.bias  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
    model.stem[0].bias  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
    state.kernel
    state.get("bias")
    if state.bias is not None:  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
        pass


def guarded(state: LinearState, model: ModelState) -> None:
    if "bias" in state:
        state.bias
        model.stem[0].bias  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
    else:
        state.bias  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
    if "bias" in state and state.bias is not None:
        state.bias
    found = state.bias if "bias" in state else None
    print(found)
    if "bias" in model.blocks[0].up:
        model.blocks[0].up.bias


def left_early(state: LinearState) -> None:
    if "bias" not in state:
        return
    state.bias


def asserted(state: LinearState) -> None:
    assert "bias" in state
    state.bias


def having(state: Having[LinearState, "bias"], model: Having[ModelState, "blocks.*.up.bias"]) -> None:
    state.bias
    model.blocks[0].up.bias
    model.blocks[0].down.bias  # E: "bias" may be absent from "LinearState", and the attribute raises then: ask "bias" in the state first, or read it with .get("bias")  [attr-defined]
