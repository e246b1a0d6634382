"""The questions one may ask of a value: `check`, `fits`, `explain`."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from flax import nnx
from typing_extensions import TypeForm, TypeIs

from . import late, leaves
from .calls import Calls
from .describe import class_name, describe
from .errors import SchemaError, StateTypeError
from .parse import Context, NotYet, is_jaxtyped, parse
from .plans import Plan, Plans
from .spec import Alike, Apart, Bound, Node, Spec, own_names, parts, schema_names
from .transform import root_of

if TYPE_CHECKING:
    from .explainer import Explanation
    from .report import Report

T = TypeVar("T")
#: The most combinations of given sizes for which one hint remembers what was accepted.
_MAX_GIVEN: Final = 16


def check(value: object, hint: TypeForm[T], *, dims: Mapping[str, int] | None = None) -> T:
    """Returns a value once it fits a hint.

    Args:
      value: a state, a nested dict, a leaf, or a container of those; it is returned as it is.
      hint: any hint that a checked function may have: a schema, a form, an array, a union.
      dims: sizes of the hint's outermost names, e.g. from a configuration.

    Raises:
      StateTypeError: it does not fit; the error holds every violation.
      SchemaError: the hint can mean nothing.
    """
    __tracebackhide__ = True
    is_class = isinstance(hint, type)
    report = _judged(value, hint, dims) if is_class else explain(value, hint, dims=dims)
    if report is not None and not report:
        raise StateTypeError(str(report), report)
    return value  # type: ignore[return-value]


def fits(value: object, hint: TypeForm[T], *, dims: Mapping[str, int] | None = None) -> TypeIs[T]:
    """Whether a value fits a hint; to a type checker it then has that type."""
    is_class = isinstance(hint, type)
    report = _judged(value, hint, dims) if is_class else explain(value, hint, dims=dims)
    return report is None or bool(report)


def explain(value: object, hint: Any, *, dims: Mapping[str, int] | None = None) -> Report:
    """Everything in which a value does not fit a hint; the report is truthy where it fits.

    Raises:
      SchemaError: the hint, or a name in `dims`, can mean nothing.
    """
    spec = spec_of(hint)
    explanation = late.Explanation(given=_given(dims, hint, spec))
    explanation.visit(value, spec)
    return explanation.report(name_of(hint, spec))


class Known:
    """What was accepted of one hint class, kept with it.

    Attributes:
      plans: the structures of its values.
      calls: those values, each as a call of one argument.
    """

    __slots__ = ("calls", "plans")

    def __init__(self) -> None:
        """Knows nothing yet."""
        self.plans, self.calls = Plans(), Calls()

    def accepts(self, value: object) -> Plan | None:
        """The plan of a value that is like an accepted one; None where it must be explained."""
        calls = self.calls
        try:
            latest = calls.latest.plans[0]
            if latest.match(value):
                return latest
        except Exception:  # not alike
            pass
        plan = self.plans.match(value)
        if plan is None:
            return None
        call = calls.known.get(plan) or calls.follow((plan,))
        if call is None:
            return None
        calls.latest = call
        return plan

    def learn(self, value: object, explanation: Explanation, report: Report) -> Plan | None:
        """Knows a value that the explainer accepted."""
        plan = self.plans.match(value)
        plan = plan or self.plans.learn(value, explanation.found.readings[""])
        if plan is not None:
            self.calls.learn([plan], explanation, report, {"": late.Root(0, (), plan.places)})
        return plan


def holds(value: object, hint: type) -> bool:
    """What ``isinstance(value, hint)`` answers for a hint class."""
    report = _judged(value, hint)
    return report is None or bool(report)


def _judged(value: object, hint: Any, dims: Mapping[str, int] | None = None) -> Report | None:
    """What the explainer says of a value; None for one that is like an accepted one."""
    known = getattr(hint, "__typedstate_known__", None) if not dims else _known_with(hint, dims)
    if known is not None and known.accepts(value) is not None:
        return None
    spec = spec_of(hint)
    explanation = late.Explanation(given=_given(dims, hint, spec))
    explanation.visit(value, spec)
    report = explanation.report(name_of(hint, spec))
    if not report:
        return report
    if known is None and hasattr(hint, "__typedstate_spec__"):
        known = _new_known(hint, dims)
    if known is not None and known.plans.meet():
        known.learn(value, explanation, report)
    return report


def _known_with(hint: Any, dims: Mapping[str, int]) -> Known | None:
    """What was accepted of a hint class with these sizes given."""
    given: dict[Hashable, Known] | None = hint.__dict__.get("__typedstate_given__")
    return given.get(_key(dims)) if given else None


def _new_known(hint: Any, dims: Mapping[str, int] | None) -> Known:
    """Keeps what will be accepted with the class itself, for a bounded number of given sizes."""
    known = Known()
    if not dims:
        hint.__typedstate_known__ = known
        return known
    given: dict[Hashable, Known] = hint.__dict__.get("__typedstate_given__", {})
    if len(given) >= _MAX_GIVEN:
        given.clear()
    given[_key(dims)] = known
    hint.__typedstate_given__ = given
    return known


def _key(dims: Mapping[str, int]) -> Hashable:
    return frozenset((name, size if _is_size(size) else None) for name, size in dims.items())


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and size >= 0


def source_of(hint: Any) -> str:
    """The code that was generated for the values of a schema or form accepted so far.

    Empty before the second of them.
    """
    own = cast(Mapping[str, Any], vars(hint))
    plain: Known | None = own.get("__typedstate_known__")
    given: Mapping[Hashable, Known] = own.get("__typedstate_given__", {})
    every = [known for known in (plain, *given.values()) if known is not None]
    texts = [text for known in every for text in (*known.plans.sources(), *known.calls.sources())]
    return "\n".join(texts)


def of(
    hint: Any, node_or_state: Any, filters: tuple[Any, ...], dims: Mapping[str, int] | None
) -> Any:
    """The state of a node, or a state itself, checked against a hint and filters."""
    __tracebackhide__ = True
    state = node_or_state
    if leaves.is_module(node_or_state):
        state = nnx.state(node_or_state, *(filters and (_any_of(filters),)))
    elif filters and (mapping := leaves.mapping_of(state)) is not None:
        state = _filtered(state if leaves.is_state(state) else nnx.State(mapping), filters)
    if filters:
        from .forms import Only

        hint = Only[(hint, *filters)]
    return check(state, hint, dims=dims)


def _filtered(state: Any, filters: tuple[Any, ...]) -> Any:
    try:
        return nnx.filter_state(state, _any_of(filters))
    except Exception:  # keys that Flax can't sort, a filter that raises: the check says which
        return state


def _any_of(filters: tuple[Any, ...]) -> Any:
    return filters[0] if len(filters) == 1 else nnx.filterlib.Any(*filters)


def spec_of(hint: Any) -> Spec:
    """The spec of a hint given at run time."""
    own = getattr(hint, "__typedstate_spec__", None)
    context = Context(name_of(hint), boundary=True)
    try:
        spec = own(context) if own is not None else parse(hint, context)
    except SchemaError:
        raise
    except NotYet as error:
        raise SchemaError(f"{name_of(hint)}: {error}") from None
    if not isinstance(spec, Node):  # a schema class has looked at its own
        check_binds(spec, name_of(hint))
    return spec


def check_binds(spec: Spec, owner: str) -> None:
    """Refuses a Bind of a dim that its schema doesn't have."""
    if isinstance(spec, Bound):
        known = [*outermost_names(spec.inner), *outermost_names(_before_forms(spec.inner))]
        for name, _ in spec.links:
            if name not in known and name.isidentifier():  # forms link names of their own
                close = difflib.get_close_matches(name, known, n=1)
                has = f"it has {', '.join(dict.fromkeys(known))}" if known else "it has none"
                fix = f"did you mean {close[0]!r}?" if close else has
                text = f"Bind names the dim {name!r} that {describe(spec.inner)} doesn't have"
                raise SchemaError(f"{owner}: {text}; {fix}")
    for part in parts(spec):
        check_binds(part, owner)


def _before_forms(spec: Spec) -> Spec:
    """The schema of which a spec is a form: the form may have left out what has a dim."""
    match spec:
        case Node(ref):
            return Node(root_of(ref))
        case Bound(inner=inner) | Apart(inner=inner) | Alike(inner=inner):
            return replace(spec, inner=_before_forms(inner))
        case _:
            return spec


def name_of(hint: Any, spec: Spec | None = None) -> str:
    """A hint as its user wrote it."""
    if isinstance(hint, type):
        return describe(spec) if spec is not None and is_jaxtyped(hint) else class_name(hint)
    return describe(spec) if spec is not None else str(hint).replace("typing.", "")


def _given(dims: Mapping[str, Any] | None, hint: Any, spec: Spec) -> Mapping[str, int]:
    if not dims:
        return {}
    known = outermost_names(spec)
    for name, size in dims.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise SchemaError(f"{name_of(hint)} has no dim {name!r}: it has {has}")
        if not _is_size(size):
            raise SchemaError(f"dims={{{name!r}: {size!r}}}: a size is a natural number")
    return dims


def outermost_names(spec: Spec) -> list[str]:
    """The names that belong to a call in which a hint stands."""
    match spec:
        case Node(ref):
            return schema_names(ref.resolve())
        case Bound(inner, links):
            linked = {name for name, _ in links}
            inner_names = [name for name in outermost_names(inner) if name not in linked]
            return list(dict.fromkeys([*inner_names, *own_names(spec)]))
        case _:
            names = [name for part in parts(spec) for name in outermost_names(part)]
            return list(dict.fromkeys([*names, *own_names(spec)]))
