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
#: One axis of an array: the number of the argument, of the array in it, of the axis.
AxisRef = tuple[int, int, int]


class ArgumentRef(NamedTuple):
    """The argument behind a root of the walk, whose paths begin at `prefix` within it."""

    argument: int
    prefix: Path
    places: Mapping[Path, int]


class Equation(msgspec.Struct, frozen=True):
    """An axis, or a fixed size, with the expression that it has to equal.

    Attributes:
      axis: the axis, or the fixed size.
      size: the expression over other axes.
      broadcast: whether size 1 fits too.
    """

    axis: AxisRef | int
    size: Expr[AxisRef]
    broadcast: bool = False

    def arguments(self) -> set[int]:
        """The arguments with axes in the equation."""
        own = set[int]() if isinstance(self.axis, int) else {self.axis[0]}
        return own | {argument for argument, _, _ in dims.names_of(self.size)}


def shape_of(source: ShapeSource) -> tuple[int, ...]:
    """The shape of an array."""
    return cast(tuple[int, ...], source if type(source) is tuple else source.shape)


class SizeConstraints:
    """The sizes that the arrays of one call may have.

    Attributes:
      equations: the equations that must hold.
      sizes: the size of each name of the call, as an expression over axes.
      source: the generated code; empty until `generate` was called.
    """

    __slots__ = (
        *("_across", "_alone", "_known", "_learned", "_named"),
        *("equations", "sizes", "source"),
    )

    def __init__(
        self,
        equations: Iterable[Equation],
        sizes: Mapping[str, Expr[AxisRef] | tuple[Expr[AxisRef], ...]],
        learned: Sequence[Sequence[ShapeSource]],
    ) -> None:
        """Keeps the equations; code is generated once they are asked for."""
        self.equations = frozenset(equations)
        self.sizes = sizes
        self.source = ""
        self._learned = learned
        self._known: list[set[Any]] = [set() for _ in learned]
        self._alone: list[Callable[..., bool]] = []
        self._across: Callable[..., bool] = _ungenerated
        self._named: Callable[..., dict[str, Size]] = _ungenerated

    def allows(self, specializations: Sequence[Any]) -> bool:
        """Whether the walk would accept the same structures with these specializations' shapes.

        Nothing is allowed before `generate` has succeeded.
        """
        try:
            for one, alone, known in zip(specializations, self._alone, self._known, strict=True):
                if one not in known:
                    if not alone(*one.shapes):
                        return False
                    if len(known) >= _MAX_KNOWN:
                        known.clear()
                    known.add(one)
            return bool(self._across(*specializations))
        except Exception:  # another rank, no result of a division: the walk decides
            return False

    def named(self, specializations: Sequence[Any]) -> dict[str, Size]:
        """The sizes of the call's names, if the equations hold for them; else None."""
        return self._named(*specializations)

    def generate(self) -> None:
        """Generates the code that `allows` and `named` run."""
        count = len(self._learned)
        names: dict[str, Any] = {"power": _power, "solved": _solved}
        own: list[list[str]] = [[] for _ in range(count)]
        across: list[str] = []
        for equation in sorted(self.equations, key=repr):
            arguments = equation.arguments()
            if len(arguments) > 1:
                across.append(f"if not ({_condition(equation, self._far)}): return False")
            else:
                (argument,) = arguments
                condition = _condition(equation, _near)
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

    def _far(self, axis: AxisRef) -> str:
        argument, array, number = axis
        shape = "" if type(self._learned[argument][array]) is tuple else ".shape"
        return f"p{argument}.shapes[{array}]{shape}[{number}]"


def _ungenerated(*_: Any) -> Any:
    raise AssertionError("constraints are asked before they tell sizes")


def _near(axis: AxisRef) -> str:
    return f"s{axis[1]}_{axis[2]}"


def _alone(
    argument: int, learned: Sequence[ShapeSource], conditions: list[str], names: dict[str, Any]
) -> str:
    """Says of one argument whether its arrays have the dtypes, ranks and sizes by themselves."""
    lines: list[str] = []
    for index, source in enumerate(learned):
        shape = f"a{index}"
        if type(source) is not tuple:
            kind, dtype = f"t{argument}_{index}", f"d{argument}_{index}"
            names[kind], names[dtype] = type(source), source.dtype
            test = f"type({shape}) is not {kind} or {shape}.dtype != {dtype}"
            lines.append(f"if {test}: return False")
            shape += ".shape"
        sizes = [f"s{index}_{axis}" for axis in range(len(shape_of(source)))]
        lines.append(f"[{', '.join(sizes)}] = {shape}")
        if sizes:
            ints = " is ".join(f"type({size})" for size in sizes)
            lines.append(f"if not (int is {ints}): return False")  # symbolic ones, of jax.export
    parameters = ", ".join(f"a{i}" for i in range(len(learned)))
    return _function(f"alone{argument}", parameters, [*lines, *conditions, "return True"])


def _function(name: str, parameters: str, lines: list[str]) -> str:
    return "\n".join([f"def {name}({parameters}):", *(f"    {line}" for line in lines), ""])


def _condition(equation: Equation, text: Callable[[AxisRef], str]) -> str:
    left = str(equation.axis) if isinstance(equation.axis, int) else text(equation.axis)
    same = f"{left} == {_expression(equation.size, text)}"
    return f"{left} == 1 or {same}" if equation.broadcast else same


def _expression(expr: Expr[AxisRef], text: Callable[[AxisRef], str]) -> str:
    match expr:
        case Fixed(value):
            return f"({value})" if value < 0 else str(value)
        case Name(axis):
            return text(axis)
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
        case Opaque("min" | "max" as symbol):
            return f"{symbol}({left}, {right})"
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
