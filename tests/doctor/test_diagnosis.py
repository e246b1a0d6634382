from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typedstate.doctor.diagnosis import diagnose
from typedstate.doctor.stubs import StubModule, Stubs

if TYPE_CHECKING:
    from typedstate.doctor.findings import Findings
    from typedstate.doctor.record import Record

NO_STUBS = Stubs(installed=False, marker="", packages=(), modules=())


def _newest(record: Record) -> Findings:
    return list(record.values())[-1]


def test_all_is_as_recorded(record: Record) -> None:
    result = diagnose(_newest(record), record, NO_STUBS)
    assert (result.recorded, result.as_recorded, result.exit_status) == (True, True, 0)
    assert "\nAll is as recorded.\n" in str(result)


def test_a_changed_leaf_is_listed(record: Record) -> None:
    newest = _newest(record)
    linear = {**newest.leaves["Linear"], "nnx.state": "Weight[ArrayImpl]"}
    changed = replace(newest, leaves={**newest.leaves, "Linear": linear})
    result = diagnose(changed, record, NO_STUBS)
    assert result.exit_status == 1
    assert [str(change) for change in result.differences] == [
        "Linear, nnx.state: Param[ArrayImpl] is now Weight[ArrayImpl]"
    ]
    expected = "Not as recorded:\n  - Linear, nnx.state: Param[ArrayImpl] is now Weight[ArrayImpl]"
    assert expected in str(result)


def test_a_construct_that_can_no_longer_be_built_is_one_difference(record: Record) -> None:
    newest = _newest(record)
    reason = {"built": "raises AttributeError"}
    changed = replace(
        newest,
        leaves={**newest.leaves, "nnx.List": reason},
        keys={**newest.keys, "nnx.List": {"": "raises AttributeError"}},
    )
    result = diagnose(changed, record, NO_STUBS)
    assert [str(change) for change in result.differences] == [
        "nnx.List: Param[ArrayImpl] is now raises AttributeError"
    ]


def test_an_unrecorded_pair_that_behaves_the_same_is_as_recorded(record: Record) -> None:
    newest = replace(_newest(record), flax="0.12.99")
    result = diagnose(newest, record, NO_STUBS)
    assert (result.recorded, result.as_recorded, result.exit_status) == (False, True, 0)
    assert result.compared_with == _newest(record).pair
    assert f"never recorded; compared with {_newest(record).pair}:" in str(result)


def test_a_new_construct_is_a_difference(record: Record) -> None:
    newest = _newest(record)
    changed = replace(newest, facts={**newest.facts, "a new fact": "yes"})
    result = diagnose(changed, record, NO_STUBS)
    assert [str(change) for change in result.differences] == ["a new fact: nothing is now yes"]


def test_an_argument_that_the_stubs_do_not_ask_for_is_new_to_the_latest_flax_alone(
    record: Record,
) -> None:
    of_merge = StubModule("flax.nnx.graphlib", True, (), (), omitted=("merge",))
    stubs = Stubs(installed=True, marker="partial", packages=(), modules=(of_merge,))
    latest = diagnose(_newest(record), record, stubs)
    assert (latest.outdated, latest.exit_status) == (("flax.nnx.graphlib",), 1)
    assert "The stubs are older than this Flax (flax.nnx.graphlib): see Stubs." in str(latest)
    earlier = diagnose(record["0.12.6 + jax 0.10.2"], record, stubs)
    assert (earlier.outdated, earlier.exit_status) == ((), 0)
    assert "older" not in str(earlier)


def test_without_a_record_nothing_is_as_recorded(record: Record) -> None:
    result = diagnose(_newest(record), {}, NO_STUBS)
    assert (result.as_recorded, result.exit_status) == (False, 1)
    assert "There is no record to compare with." in str(result)


def test_variable_state_was_in_the_docstring_and_variable_was_not_in_the_state(
    record: Record,
) -> None:
    result = diagnose(record["0.10.7 + jax 0.6.2"], record, NO_STUBS)
    claim = next(item for item in result.claims if item.where == "the docstring of nnx.State")
    assert str(claim) == (
        'the docstring of nnx.State ("A pytree-like structure that contains a ``Mapping`` from '
        '...") names VariableState, Variable; '
        "seen but not named: Array, Ref, ndarray; named but not seen: Variable"
    )


def test_the_newest_docstring_says_nothing_about_leaves(record: Record) -> None:
    result = diagnose(_newest(record), record, NO_STUBS)
    claim = next(item for item in result.claims if item.where == "the docstring of nnx.State")
    assert str(claim) == (
        'the docstring of nnx.State ("A pytree-like ``Mapping`` with hashable and comparable '
        'keys.") names no leaf; '
        "seen but not named: Array, Ref, Variable, ndarray, scalar"
    )


def test_limits_follow_from_the_findings(record: Record) -> None:
    oldest = diagnose(record["0.10.7 + jax 0.6.2"], record, NO_STUBS)
    limited = {item.feature: item.why for item in oldest.limits}
    assert limited["Shared on a state"] == (
        "leaves are VariableState copies, never the module's own Variables"
    )
    newest = diagnose(_newest(record), record, NO_STUBS)
    assert "Shared on a state" not in {item.feature for item in newest.limits}
