"""Expressions with roots, told apart by sympy; nothing is simplified, so that it takes milliseconds."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ssr.verifier.arithmetic.expression import (
    MAX_EXPONENT,
    Applied,
    Irrational,
    Number,
    Operation,
    Reading,
    Tree,
    Undecided,
    operator_of,
    span,
)

#: Digits that are computed, and how far apart two values are that differ.
_DIGITS, _APART = 40, Fraction(1, 10**25)


def differ(left: Tree, one: Reading, right: Tree, other: Reading, allowed: Fraction) -> bool:
    """Whether the values are certainly farther apart than `allowed`. Raises: Undecided."""
    from sympy import N  # type: ignore[import-untyped]

    distance = N(_algebraic(left, one) - _algebraic(right, other), _DIGITS)
    if not distance.is_comparable:
        raise Undecided
    return bool(abs(distance) > _rational(allowed + _APART))


def _rational(value: Fraction) -> Any:
    from sympy import Rational

    return Rational(value.numerator, value.denominator)


def _algebraic(tree: Tree, reading: Reading) -> Any:
    """The tree for sympy. Whatever is a fraction is one, within the bounds of `span`. Raises: Undecided."""
    try:
        return _rational(span(tree, reading).low)
    except Irrational:
        pass
    match tree:
        case Applied(function, argument):
            return _applied(function, _algebraic(argument, reading), reading)
        case Operation(operator, left, right):
            return _operated(operator_of(operator, reading), _algebraic(left, reading), _algebraic(right, reading))
        case Number():  # is a fraction
            raise Undecided


def _applied(function: str, argument: Any, reading: Reading) -> Any:
    from sympy import sqrt

    match function:
        case "minus":
            return -argument
        case "%":
            return argument if reading.percent_plain else argument / 100
        case "root":
            return sqrt(argument)
    raise Undecided


def _operated(operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
    if right.is_Rational and abs(right) <= MAX_EXPONENT and right.q <= MAX_EXPONENT:
        return left**right
    raise Undecided
