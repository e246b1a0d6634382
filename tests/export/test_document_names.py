"""What has no name of its own in a document: validators, functions, classes of the user's."""

from __future__ import annotations

from typing import Annotated, Any

from beartype.vale import Is
from flax import nnx
from jaxtyping import AbstractDtype, Array, Float

from tests import zoo
from tests.export.documents import Own, refused, there_and_back
from tests.random_hints import schema_of
from typedstate import (
    Only,
    PlacedBy,
    SchemaDocument,
    TypedState,
    fits,
)

Positive = Is[lambda array: array.shape != ()]


def by_rank(path: Any, leaf: Any) -> bool:
    return getattr(leaf, "ndim", 0) > 1


class Halves(AbstractDtype):
    dtypes = ["float16", "bfloat16"]


class OwnState(TypedState):
    own: Own
    checked: Annotated[nnx.Param[Float[Array, "n"]], Positive]
    half: nnx.Param[Halves[Array, "n"]]


def test_names_that_the_caller_gives() -> None:
    name = f"{Own.__module__}.Own"
    kinds = {name: Own, "positive": Positive, "by_rank": by_rank}
    found = there_and_back(Only[OwnState, by_rank], kinds=kinds)
    assert '"positive"' in SchemaDocument.of(OwnState, kinds=kinds).to_json()
    read = SchemaDocument.of(OwnState, kinds=kinds).to_schema(kinds=kinds)
    assert not fits(zoo.state({"own": Own(1)}), read)
    assert found.__name__ == "Only[OwnState, by_rank]"


def test_classes_by_their_own_names() -> None:
    class State(TypedState):
        own: Own

    found = there_and_back(State, kinds=[Own])
    assert fits(zoo.state({"own": Own(1)}), found)


def test_a_hint_without_a_document_is_refused_with_the_place() -> None:
    assert refused(OwnState).startswith(
        "SchemaDocument.of(OwnState, OwnState.checked): the validator beartype.vale.Is[lambda"
    )
    assert refused(Only[zoo.LinearState, by_rank]) == (
        "SchemaDocument.of(Only[LinearState, by_rank], LinearState): the filter by_rank has no "
        "name; give kinds={'name': it}"
    )
    assert refused(PlacedBy[zoo.LinearState, lambda names: names]) == (
        "SchemaDocument.of(PlacedBy[LinearState, <lambda>], LinearState): the rules <lambda> has "
        "no name; give kinds={'name': it}"
    )
    key = schema_of({frozenset({1}): nnx.Param})
    assert refused(key) == (
        "SchemaDocument.of(Random, Random.field_0): a key of class frozenset is no data"
    )
    assert refused(zoo.LinearState, kinds=["nnx.Param"]) == (
        "kinds: 'nnx.Param' has no name of its own; write kinds={'name': it}"
    )


def test_classes_of_one_name_are_not_mixed_up() -> None:
    def make() -> Any:
        class Twin(nnx.Variable):  # type: ignore[type-arg]
            """One of two."""

        return Twin

    one, two = make(), make()
    name = f"{one.__module__}.{one.__qualname__}"
    state = schema_of({"a": one, "b": two})
    assert refused(state) == (
        f"SchemaDocument.of(Random, Random.field_1): two classes are called {name}; give names by "
        "kinds={'name': it}"
    )
    there_and_back(state, kinds={"one": one, "two": two})
