"""Variables that a module has in two places: in a state once, in the schema `Shared`."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import pytest
from flax import nnx

from tests.inference.inferred import built, code, linear
from tests.zoo import ZOO, list_of
from typedstate import SchemaDocument, abstract, diff, explain, infer, to_source


def classes(module: Any) -> str:
    return to_source(infer(module)).partition("\n\n\n")[2]


def told(module: Any) -> list[str]:
    """What the schema of a module says of the module itself."""
    schema = infer(module)
    assert explain(nnx.state(module), schema)
    return str(explain(module, Annotated[type(module), schema])).splitlines()


def test_a_tied_head_is_shared_with_its_embedding() -> None:
    (animal,) = [animal for animal in ZOO if animal.name == "tied"]
    module = animal.make()
    assert 'head: Annotated[nnx.Param[Float[Array, "vocab d"]], Shared("embed.embedding")]' in (
        classes(module)
    )
    schema = infer(module)
    assert diff(schema, SchemaDocument.of(schema).to_schema()).exit_status == 0
    made: Any = abstract(schema, like=nnx.state(module))
    assert "head" not in made


def decoder(self: Any, kernel: Any) -> None:
    self.kernel = kernel
    self.bias = nnx.Param(jnp.ones(3))


Decoder: Any = type("Decoder", (nnx.Module,), {"__init__": decoder, "__module__": __name__})


def test_the_path_is_written_as_a_module_that_is_checked_in_place_has_it() -> None:
    @built
    def tied(self: Any) -> None:
        self.layers = list_of([linear(2, 3), linear(2, 3)])
        setattr(self, "odd.name", linear(2, 3))
        self.out = Decoder(self.layers[1].kernel)
        self.w = getattr(self, "odd.name").kernel

    assert classes(tied).startswith(
        code("""
        class DecoderState(TypedState):
            kernel: Annotated[nnx.Param[Float[Array, "din dout"]], Shared("layers[1].kernel")]
            bias: nnx.Param[Float[Array, "dout"]]
        """)
    )
    assert (
        """    w: Annotated[nnx.Param[Float[Array, "din dout"]], Shared("['odd.name'].kernel")]"""
        in (classes(tied))
    )
    assert told(tied)[0] == "fits tied with state TiedState"


def test_another_variable_than_the_shared_one_is_refused() -> None:
    def make(self: Any, index: int = 0) -> None:
        self.layers = list_of([linear(2, 3), linear(2, 3)])
        self.w = self.layers[index].kernel

    Model: Any = type("Model", (nnx.Module,), {"__init__": make, "__module__": __name__})
    report = explain(Model(1), Annotated[Model, infer(Model(0))])
    assert [str(violation) for violation in report.violations] == [
        "w: expected the Variable of layers[0].kernel, found that of layers[1].kernel [metadata]"
    ]


@pytest.mark.parametrize("where", ["first", "second"])
def test_what_is_shared_in_one_place_of_a_class_only_may_be_absent(where: str) -> None:
    @built
    def model(self: Any) -> None:
        self.a = Decoder(nnx.Param(jnp.ones((2, 3))))
        self.b = Decoder(self.a.kernel if where == "second" else nnx.Param(jnp.ones((2, 3))))
        self.c = Decoder(self.b.kernel)

    assert '    kernel: nnx.Param[Float[Array, "din dout"]] | None' in classes(model)
    assert told(model)[0] == "fits model with state ModelState"


def test_a_sub_state_of_shared_variables_alone_is_in_no_state() -> None:
    @built
    def model(self: Any) -> None:
        self.a = linear(2, 3)
        self.b = linear(2, 3)
        self.b.kernel, self.b.bias = self.a.kernel, self.a.bias

    assert classes(model).startswith(
        code("""
        class BLinearState(TypedState):
            kernel: Annotated[nnx.Param[Float[Array, "din dout"]], Shared("a.kernel")]
            bias: Annotated[nnx.Param[Float[Array, "dout"]], Shared("a.bias")]
        """)
    )
    assert told(model)[0] == "fits model with state ModelState"
    assert not explain({**nnx.state(model), "b": nnx.state(linear(2, 3))}, infer(model))


def test_a_module_in_two_places_is_one_field() -> None:
    @built
    def model(self: Any) -> None:
        self.a = linear(2, 3)
        self.b = self.a

    assert classes(model) == code("""
        class ModelState(TypedState):
            a: Bind[LinearState, "din dout"]
        """)
    assert told(model)[0] == "fits model with state ModelState"
