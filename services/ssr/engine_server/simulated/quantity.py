"""Numbers and single calculations as the script writes and reads them: `17 + 25 = 42`, exact."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

_MAX_DECIMALS = 6
#: Powers beyond this many digits are not worth reading, and much beyond it not computable.
_MAX_POWER_DIGITS = 60

# Bounded, because Python refuses to convert numbers of more than 4300 digits.
_NUMBER = r"-?[0-9]{1,400}(?:[./][0-9]{1,400})?"
_WHOLE_NUMBER = re.compile(_NUMBER)
_EQUATION = re.compile(
    rf"(?<![0-9.])(?P<left>\({_NUMBER}\)|{_NUMBER}) (?P<operator>[-+×÷^]) (?P<right>\({_NUMBER}\)|{_NUMBER})"
    rf" = (?P<result>{_NUMBER})"
)


class Operator(StrEnum):
    """The sign of a calculation."""

    PLUS = "+"
    MINUS = "-"
    TIMES = "×"
    OVER = "÷"
    POWER = "^"


@dataclass(frozen=True, slots=True)
class Calculation:
    """One calculation as a step states it; `result` need not be right."""

    left: Fraction
    operator: Operator
    right: Fraction
    result: Fraction

    def __str__(self) -> str:
        return f"{_operand(self.left)} {self.operator} {_operand(self.right)} = {format_number(self.result)}"


def compute(operator: Operator, left: Fraction, right: Fraction) -> Fraction | None:
    """The exact result; None where there is none (division by zero) or none that one can read (huge powers)."""
    match operator:
        case Operator.PLUS:
            return left + right
        case Operator.MINUS:
            return left - right
        case Operator.TIMES:
            return left * right
        case Operator.OVER:
            return left / right if right else None
        case Operator.POWER:
            return _power(left, right)


def format_number(value: Fraction) -> str:
    """A whole number, a short decimal fraction, or `a/b`."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**_MAX_DECIMALS
    if scaled.denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(scaled.numerator)).zfill(_MAX_DECIMALS + 1)
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-_MAX_DECIMALS]}.{digits[-_MAX_DECIMALS:]}".rstrip("0")


def parse_number(text: str) -> Fraction | None:
    """What `format_number` wrote; None for anything else."""
    if not _WHOLE_NUMBER.fullmatch(text):
        return None
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None


@lru_cache(maxsize=4096)  # a path's steps are read again with each of its requests
def equation_in(text: str) -> Calculation | None:
    """The last calculation that the text states."""
    found = None
    for found in _EQUATION.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        return None
    left, right = parse_number(found["left"].strip("()")), parse_number(found["right"].strip("()"))
    result = parse_number(found["result"])
    if left is None or right is None or result is None:
        return None
    return Calculation(left, Operator(found["operator"]), right, result)


def _operand(value: Fraction) -> str:
    text = format_number(value)
    return f"({text})" if value < 0 or "/" in text else text


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1 or (base == 0 and exponent < 0):
        return None
    digits = max(len(str(abs(base.numerator))), len(str(base.denominator)))
    if digits * abs(exponent.numerator) > _MAX_POWER_DIGITS:
        return None
    return Fraction(base**exponent.numerator)
