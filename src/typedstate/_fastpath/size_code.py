"""Generated code that compares sizes: the equations that hold between the axes of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from .._spec import dims
from .._spec.dims import Expr, Fixed, Name, Opaque, Product, Sum
from ..report import Path, Size
from .compiled import execute

_MAX_KNOWN: Final = 256
#: An operation that no hint can write: the natural number that solves an equation.
SOLVE: Final = "solve"
#: What is known of an array's sizes: its abstract value, or its shape where abstract values
#: that are equal are not one object.
ShapeSource = Any
#: One axis of an array: the number of the argument, of its measure there, of the axis.
AxisRef = tuple[int, int, int]


class ArgumentRef(NamedTuple):
    """Where the explainer's paths of one root lead: below `prefix`, in an argument."""

    argument: int
    prefix: Path
    places: Mapping[Path, int]


class Equation(msgspec.Struct, frozen=True):
    """An axis, or a fixed size, with the expression that it has to equal.

    Attributes:
      slot: the axis.
      size: over other axes.
      broadcast: size 1 fits too.
    """

    slot: AxisRef | int
    size: Expr[AxisRef]
    broadcast: bool = False

    def arguments(self) -> set[int]:
        """Whose axes it speaks of."""
        own = set[int]() if isinstance(self.slot, int) else {self.slot[0]}
        return own | {argument for argument, _, _ in dims.names_of(self.size)}


def shape_of(measure: ShapeSource) -> tuple[int, ...]:
    """The shape that a measure says."""
    return cast(tuple[int, ...], measure if type(measure) is tuple else measure.shape)


class SizeConstraints:
    """The sizes that the arrays of one call may have.

    Attributes:
      relations: what has to hold.
      sizes: of the call's names, over axes.
      source: the generated code; empty as long as no other sizes came.
    """

    __slots__ = (
        *("_across", "_alone", "_known", "_learned", "_named"),
        *("relations", "sizes", "source"),
    )

    def __init__(
        self,
        relations: Iterable[Equation],
        sizes: Mapping[str, Expr[AxisRef] | tuple[Expr[AxisRef], ...]],
        learned: Sequence[Sequence[ShapeSource]],
    ) -> None:
        """Keeps the relations; code is generated once they are asked for."""
        self.relations = frozenset(relations)
        self.sizes = sizes
        self.source = ""
        self._learned = learned
        self._known: list[set[Any]] = [set() for _ in learned]
        self._alone: list[Callable[..., bool]] = []
        self._across: Callable[..., bool] = _ungenerated
        self._named: Callable[..., dict[str, Size]] = _ungenerated

    def allows(self, plans: Sequence[Any]) -> bool:
        """Whether the explainer would accept the same structures with these plans' measures."""
        if not self.source:
            self._generate()
        try:
            for plan, alone, known in zip(plans, self._alone, self._known, strict=True):
                if plan not in known:
                    if not alone(*plan.measures):
                        return False
                    if len(known) >= _MAX_KNOWN:
                        known.clear()
                    known.add(plan)
            return bool(self._across(*plans))
        except Exception:  # another rank, no result of a division: the explainer decides
            return False

    def named(self, plans: Sequence[Any]) -> dict[str, Size]:
        """The sizes of the call's names, where a call with these plans is allowed."""
        return self._named(*plans)

    def _generate(self) -> None:
        count = len(self._learned)
        names: dict[str, Any] = {"power": _power, "solved": _solved}
        own: list[list[str]] = [[] for _ in range(count)]
        across: list[str] = []
        for relation in sorted(self.relations, key=repr):
            arguments = relation.arguments()
            if len(arguments) > 1:
                across.append(f"if not ({_condition(relation, self._far)}): return False")
            else:
                (argument,) = arguments
                condition = _condition(relation, _near)
                own[argument].append(f"if not ({condition}): return False")
        given = ", ".join(f"p{i}" for i in range(count))
        functions = [_alone(i, item, own[i], names) for i, item in enumerate(self._learned)]
        functions.append(_function("across", given, [*across, "return True"]))
        functions.append(_function("named", given, [f"return {{{self._dims()}}}"]))
        self.source = "\n".join(functions)
        execute(self.source, "sizes", names, "across")
        self._alone = [names[f"alone{i}"] for i in range(count)]
        self._across, self._named = names["across"], names["named"]

    def _dims(self) -> str:
        items: list[str] = []
        for name, size in self.sizes.items():
            parts = size if isinstance(size, tuple) else (size,)
            texts = [_expression(part, self._far) for part in parts]
            shown = f"({''.join(f'{text}, ' for text in texts)})" if size is parts else texts[0]
            items.append(f"{name!r}: {shown}")
        return ", ".join(items)

    def _far(self, slot: AxisRef) -> str:
        argument, measure, axis = slot
        shape = "" if type(self._learned[argument][measure]) is tuple else ".shape"
        return f"p{argument}.measures[{measure}]{shape}[{axis}]"


def _ungenerated(*_: Any) -> Any:
    raise AssertionError("a law is asked before it tells sizes")


def _near(slot: AxisRef) -> str:
    return f"s{slot[1]}_{slot[2]}"


def _alone(
    argument: int, learned: Sequence[ShapeSource], conditions: list[str], names: dict[str, Any]
) -> str:
    """Says of one argument whether its arrays have the dtypes, ranks and sizes by themselves."""
    lines: list[str] = []
    for index, measure in enumerate(learned):
        shape = f"a{index}"
        if type(measure) is not tuple:
            kind, dtype = f"t{argument}_{index}", f"d{argument}_{index}"
            names[kind], names[dtype] = type(measure), measure.dtype
            test = f"type({shape}) is not {kind} or {shape}.dtype != {dtype}"
            lines.append(f"if {test}: return False")
            shape += ".shape"
        sizes = [f"s{index}_{axis}" for axis in range(len(shape_of(measure)))]
        lines.append(f"[{', '.join(sizes)}] = {shape}")
        if sizes:
            ints = " is ".join(f"type({size})" for size in sizes)
            lines.append(f"if not (int is {ints}): return False")  # symbolic ones, of jax.export
    parameters = ", ".join(f"a{i}" for i in range(len(learned)))
    return _function(f"alone{argument}", parameters, [*lines, *conditions, "return True"])


def _function(name: str, parameters: str, lines: list[str]) -> str:
    return "\n".join([f"def {name}({parameters}):", *(f"    {line}" for line in lines), ""])


def _condition(relation: Equation, text: Callable[[AxisRef], str]) -> str:
    left = str(relation.slot) if isinstance(relation.slot, int) else text(relation.slot)
    same = f"{left} == {_expression(relation.size, text)}"
    return f"{left} == 1 or {same}" if relation.broadcast else same


def _expression(expr: Expr[AxisRef], text: Callable[[AxisRef], str]) -> str:
    match expr:
        case Fixed(value):
            return f"({value})" if value < 0 else str(value)
        case Name(slot):
            return text(slot)
        case _:
            left, right = _expression(expr.left, text), _expression(expr.right, text)
    match expr:
        case Sum(sign=sign):
            return f"({left} {'+' if sign > 0 else '-'} {right})"
        case Product():
            return f"({left} * {right})"
        case Opaque("**"):
            return f"power({left}, {right})"
        case Opaque(symbol) if symbol == SOLVE:
            return f"solved({left}, {right})"
        case Opaque(symbol):
            return f"({left} {symbol} {right})"


def _power(base: int, exponent: int) -> int:
    if not 0 <= exponent <= dims.MAX_POWER:
        raise ValueError  # `dims.evaluate` leaves it open
    return int(base**exponent)


def _solved(size: int, slope: int) -> int:
    quotient, remainder = divmod(size, slope)
    if remainder or quotient < 0:
        raise ValueError
    return quotient
