"""Numeric expressions: parsed from tokens, evaluated exactly, or between the bounds that rounded decimals leave."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import factorial, isqrt

#: Bits of a numerator or denominator, on the way and in the end.
MAX_BITS = 512
MAX_EXPONENT = 64
MAX_FACTORIAL = 30
#: Brackets in brackets.
MAX_DEPTH = 12
#: Decimals from which on a number may be a rounded one (2.5 hours are exact, 3.33 is a third of ten).
_ROUNDED_DECIMALS = 2


class Undecided(Exception):
    """The value is too large to compute, or there is none."""


class Irrational(Exception):
    """The value is no fraction: a root."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How ambiguous notation is taken: `20%` as 20, `2\\frac{1}{2}` as a product."""

    percent_plain: bool = False
    mixed_product: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value lies; an exact one has equal ends."""

    low: Fraction
    high: Fraction

    def meets(self, other: Span) -> bool:
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class Number:
    """A literal with so many `decimals`."""

    value: Fraction
    decimals: int = 0

    def span(self, slack: bool) -> Span:
        if not slack or self.decimals < _ROUNDED_DECIMALS:
            return Span(self.value, self.value)
        half = Fraction(1, 2 * 10**self.decimals)
        return Span(self.value - half, self.value + half)


@dataclass(frozen=True, slots=True)
class Operation:
    """`operator` is one of + - * / ^, or "mixed" for a whole number and a fraction side by side."""

    operator: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Applied:
    """`function` is "minus", "%", "!" or "root"."""

    function: str
    argument: Tree


Tree = Number | Operation | Applied


def span(tree: Tree, reading: Reading, slack: bool = False) -> Span:
    """The tree's value; with `slack`, all that it may be where its decimals are rounded.

    Raises: Undecided, Irrational.
    """
    if isinstance(tree, Number):
        return tree.span(slack)
    if isinstance(tree, Applied):
        return _bounded(_applied(tree.function, span(tree.argument, reading, slack), reading))
    left, right = span(tree.left, reading, slack), span(tree.right, reading, slack)
    return _bounded(_operated(operator_of(tree.operator, reading), left, right))


def operator_of(operator: str, reading: Reading) -> str:
    """The operator that is meant."""
    if operator == "mixed":
        return "*" if reading.mixed_product else "+"
    return operator


def _applied(function: str, value: Span, reading: Reading) -> Span:
    match function:
        case "minus":
            return Span(-value.high, -value.low)
        case "%":
            return value if reading.percent_plain else Span(value.low / 100, value.high / 100)
        case "!":
            return _exactly(_factorial(_exact(value)))
        case _:
            return _exactly(_square_root(_exact(value)))


def _operated(operator: str, left: Span, right: Span) -> Span:
    match operator:
        case "+":
            return Span(left.low + right.low, left.high + right.high)
        case "-":
            return Span(left.low - right.high, left.high - right.low)
        case "*":
            return _spread(left, right)
        case "/":
            if right.low <= 0 <= right.high:
                raise Undecided
            return _spread(left, Span(1 / right.high, 1 / right.low))
        case _:
            return _power(left, _exact(right))


def _spread(left: Span, right: Span) -> Span:
    if left.low == left.high and right.low == right.high:
        return _exactly(left.low * right.low)
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Span(min(corners), max(corners))


def _power(base: Span, exponent: Fraction) -> Span:
    if exponent.denominator == 2 and base.low == base.high:
        return _power(_exactly(_square_root(base.low)), exponent * 2)
    if exponent.denominator != 1:
        raise Irrational
    number, size = exponent.numerator, max(map(_bits, (base.low, base.high)))
    if abs(number) > MAX_EXPONENT or size * abs(number) > 4 * MAX_BITS or (base.low <= 0 and number <= 0):
        raise Undecided
    if base.low != base.high and base.low < 0:
        raise Undecided
    ends = sorted((Fraction(base.low**number), Fraction(base.high**number)))
    return Span(*ends)


def _square_root(value: Fraction) -> Fraction:
    if value < 0:
        raise Undecided
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        raise Irrational
    return Fraction(top, bottom)


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
        raise Undecided
    return Fraction(factorial(value.numerator))


def _exact(value: Span) -> Fraction:
    if value.low != value.high:
        raise Undecided
    return value.low


def _exactly(value: Fraction) -> Span:
    return Span(value, value)


def _bounded(value: Span) -> Span:
    if max(_bits(value.low), _bits(value.high)) > MAX_BITS:
        raise Undecided
    return value


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())
