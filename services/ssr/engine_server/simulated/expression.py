r"""Arithmetic in a problem's text: from "What is 3*(4+5)?" to the plan that evaluates it, one operation a step.

Understands + - * / ^ and brackets, their usual other spellings (x, ×, ÷, \frac, "divided by") and a few phrases ("the
sum of 3 and 4", "15% of 80"). A text is arithmetic only if its one expression holds all its numbers: "3-4 eggs for 5
people" is a word problem.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ssr.engine_server.simulated.plan import Operand, Operation, Result, SolutionPlan
from ssr.engine_server.simulated.quantity import Operator

_MAX_OPERATIONS = 24
_MAX_SYMBOLS = 120
_MAX_NESTING = 20

_N = r"(-?[0-9]+(?:\.[0-9]+)?)"
_SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\\left|\\right|\\[()\[\],;! ]|\$", " "),
        (r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", ""),
        (r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\^\{([^{}]*)\}", r"^(\1)"),
        (r"\\times\b|\\cdot\b|[×·∗⋅]|\s(?:multiplied by|times)\s", "*"),
        (r"(?<=[0-9)])\s*x\s*(?=[0-9(])", "*"),
        (r"\\div\b|÷|\s(?:divided by|over)\s", "/"),
        (r"[−–]|\sminus\s", "-"),
        (r"\splus\s", "+"),
        (r"\*\*|\sto the power of\s", "^"),
        (rf"{_N}\s*\\?%\s+of\s+", r"(\1/100)*"),
        (rf"\bsum of {_N} and {_N}", r" (\1+\2)"),
        (rf"\bdifference (?:of|between) {_N} and {_N}", r" (\1-\2)"),
        (rf"\bproduct of {_N} and {_N}", r" (\1*\2)"),
        (rf"\bquotient of {_N} and {_N}", r" (\1/\2)"),
    )
)
_RUN = re.compile(r"[-0-9+*/^().\s]+")
_DIGITS = re.compile(r"[0-9]+")
_SYMBOL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?(?![0-9.])|[-+*/^()]")
_SIGNS = {
    "+": Operator.PLUS,
    "-": Operator.MINUS,
    "*": Operator.TIMES,
    "/": Operator.OVER,
    "^": Operator.POWER,
}


def arithmetic_plan(text: str) -> SolutionPlan | None:
    """The plan that evaluates the text's expression; None when the text is not plain arithmetic."""
    symbols = _symbols(text)
    if not symbols:
        return None
    try:
        plan = _ExpressionParser(symbols).plan()
    except _NotArithmetic:
        return None
    return plan if plan.operations and plan.results() is not None else None


class _NotArithmetic(Exception):
    """The symbols are no expression, or one too long for a demonstration."""


def _symbols(text: str) -> list[str]:
    """The text's one expression in symbols; empty when it has none."""
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    numbers = len(_DIGITS.findall(text))
    for run in _RUN.finditer(text):
        if len(_DIGITS.findall(run[0])) == numbers > 0:
            return _split(text, run)
    return []


def _split(text: str, run: re.Match[str]) -> list[str]:
    start = run.end() - len(run[0].lstrip(" \t\n.)"))
    end = run.start() + len(run[0].rstrip(" \t\n.("))
    expression = text[start:end]
    beside = text[max(start - 1, 0) : start] + text[end : end + 1]
    if any(character.isalnum() or character == "\\" for character in beside) or re.match(r"-\s", expression):
        return []
    compact = "".join(expression.split())
    symbols = _SYMBOL.findall(compact)
    bounded = len(symbols) <= _MAX_SYMBOLS and symbols.count("(") <= _MAX_NESTING
    # Blanks between digits ("3 4") and stray dots would vanish otherwise.
    whole = "".join(symbols) == compact and not re.search(r"[0-9.]\s+[0-9.]", expression)
    return symbols if bounded and whole else []


class _ExpressionParser:
    """Recursive descent; every operation is noted where its operands are known, so in the order of evaluation."""

    def __init__(self, symbols: list[str]) -> None:
        self._symbols = symbols
        self._at = 0
        self._operations: list[Operation] = []

    def plan(self) -> SolutionPlan:
        self._sum()
        if self._at < len(self._symbols):
            raise _NotArithmetic
        return SolutionPlan(tuple(self._operations))

    def _sum(self) -> Operand:
        value = self._product()
        while self._next in ("+", "-"):
            sign = self._take()
            value = self._note(sign, value, self._product())
        return value

    def _product(self) -> Operand:
        value = self._signed()
        while self._next in ("*", "/", "("):
            # 2(3+4) multiplies without a sign.
            sign = "*" if self._next == "(" else self._take()
            value = self._note(sign, value, self._signed())
        return value

    def _signed(self) -> Operand:
        negative = False
        while self._next == "-":
            self._take()
            negative = not negative
        value = self._power()
        if not negative:
            return value
        return -value if isinstance(value, Fraction) else self._note("-", Fraction(0), value)

    def _power(self) -> Operand:
        base = self._atom()
        if self._next != "^":
            return base
        self._take()
        return self._note("^", base, self._signed())

    def _atom(self) -> Operand:
        symbol = self._take()
        if symbol == "(":
            value = self._sum()
            if self._take() != ")":
                raise _NotArithmetic
            return value
        if symbol[:1].isdigit():
            return Fraction(symbol)
        raise _NotArithmetic

    @property
    def _next(self) -> str:
        return self._symbols[self._at] if self._at < len(self._symbols) else ""

    def _take(self) -> str:
        symbol = self._next
        self._at += 1
        return symbol

    def _note(self, sign: str, left: Operand, right: Operand) -> Result:
        if len(self._operations) == _MAX_OPERATIONS:
            raise _NotArithmetic
        self._operations.append(Operation(_SIGNS[sign], left, right))
        return Result(len(self._operations) - 1)
