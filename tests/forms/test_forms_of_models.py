"""A form accepts what Flax and JAX make of every model, and no tree of another form."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from flax import nnx

from tests import zoo
from tests.zoo.transformed import ANIMALS, FORMS, Form, Model
from typedstate import SchemaError, explain, fits
from typedstate._validation import tree_signature

pytestmark = pytest.mark.slow

ALL = frozenset(animal.name for animal in ANIMALS)
OPTIMIZERS = {"adam", "clipped adamw", "momentum"}
#: Models without anything but Params, or whose other leaves may be absent.
PARAMS_ONLY = ALL - OPTIMIZERS - {"convnet", "scanned blocks", "sowing", "tied"}
#: Models all of whose leaves that are no Params may be absent; up to Flax 0.10 a cell keeps rngs.
OPEN = frozenset({"attention with cache", "rnn", *(["recurrent"] * zoo.HAS_VARIABLE_STATE)})
HALF = "Float takes bfloat16"
DICT = "a schema takes nested dicts in the place of a State"
OPTIONAL = "what may be there need not be"

#: Trees that a form takes though they are another form's: why, and of which models.
INDISTINGUISHABLE: dict[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("values", "pure"): (DICT, ALL),
    ("values", "pure params"): (DICT, PARAMS_ONLY),
    ("specs", "pure specs"): (DICT, ALL),
    ("state", "half params"): (HALF, PARAMS_ONLY),
    ("params", "half params"): (HALF, ALL - OPTIMIZERS),
    ("sown", "half params"): (HALF, PARAMS_ONLY),
    ("moments", "half moments"): (HALF, ALL - OPTIMIZERS),
    ("stacked kernels", "half params"): (HALF, frozenset({"names"})),
    ("sown", "state"): (OPTIONAL, ALL - OPTIMIZERS),
    ("sown", "params"): (OPTIONAL, PARAMS_ONLY),
    ("sown", "rest"): (OPTIONAL, frozenset({"tied"})),
    ("sown", "stacked kernels"): (OPTIONAL, frozenset({"names", "tied"})),
    ("state", "params"): (OPTIONAL, OPEN),
    ("pure", "pure params"): (OPTIONAL, OPEN),
    ("state", "rest"): (OPTIONAL, frozenset({"tied"})),
    ("stacked params", "rest"): (OPTIONAL, frozenset({"tied"})),
    ("stacked kernels", "rest"): (OPTIONAL, frozenset({"tied"})),
    ("values", "rest"): (OPTIONAL, frozenset({"tied"})),
    ("pure params", "pure"): (
        "of values that `Plus` allows, none shows its kind",
        frozenset({"sowing"}),
    ),
}
#: What Flax itself can't make of a model, by words of its error.
UNMADE = {
    "Stacked second": ("out of bounds for array of dimension",),  # an axis beyond a scalar
    # a sharding of an abstract tuple
    "Abstract model": ("incompatible function arguments", "Expected tuple, got None"),
}


def loses_raw_arrays() -> bool:
    """Whether ``nnx.eval_shape`` leaves nothing of a raw array, as up to Flax 0.12.0."""
    tied = next(animal for animal in ANIMALS if animal.name == "tied")
    return "scale" not in nnx.state(nnx.eval_shape(tied.make))


LOST = loses_raw_arrays()


def made_of(model: Model) -> dict[str, Any]:
    """What Flax and JAX make of a model, by the name of the form."""
    found: dict[str, Any] = {}
    for form in FORMS:
        if LOST and model.animal.name == "tied" and form.tree == "abstract":
            continue
        try:
            found[form.name] = form.make(model)
        except (ValueError, TypeError) as error:
            if not any(words in str(error) for words in UNMADE.get(form.name, ())):
                raise
    return found


def accepts(hint: Any, value: Any) -> bool:
    """What the walk says; the fast path says the same, of a known value too."""
    verdict = bool(explain(value, hint))
    assert fits(value, hint) is verdict
    assert fits(value, hint) is verdict
    return verdict


def alike(one: Any, other: Any) -> bool:
    """Whether two trees can't be told apart at all."""
    return type(one) is type(other) and tree_signature.signature_of(
        one
    ) == tree_signature.signature_of(other)


def hint_of(form: Form, model: Model, made: dict[str, Any]) -> Any:
    """The form, None where no tree can be such; Flax makes none then."""
    hint = form.hint(model.schema)
    try:
        explain(model.state, hint)
    except SchemaError as error:
        if str(error) != "Axis(1) lies beyond the 0 axes of a leaf" or form.name in made:
            raise
        return None
    return hint


#: Up to Flax 0.10 an optimizer holds its model: what is left out of it is a part of both.
MODELS = [a for a in ANIMALS if not (zoo.HAS_VARIABLE_STATE and a.name in OPTIMIZERS)]


@pytest.mark.parametrize("animal", MODELS, ids=lambda animal: animal.name)
def test_a_form_accepts_its_own_trees_and_no_neighbours(animal: Any) -> None:
    model = Model(animal)
    made = made_of(model)
    for form in FORMS:
        hint = hint_of(form, model, made)
        if hint is None:
            continue
        for other in FORMS:
            if other.name not in made:
                continue
            value = made[other.name]
            if form.tree == other.tree:
                assert explain(value, hint), f"{form.name}: {explain(value, hint)}"
                assert accepts(hint, value)
            elif jax.tree.leaves(value) and not alike(value, made.get(form.name)):
                _, models = INDISTINGUISHABLE.get((form.tree, other.tree), ("", frozenset()))
                wanted = animal.name in models
                assert accepts(hint, value) is wanted, (form.name, other.name)
