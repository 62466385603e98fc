"""False sums: an equation between plain numbers that does not hold, `24 cents + 14 cents = 48 cents`.

Evidence against a path that costs nothing. Measured on recorded paths of a 0.5B and a 1.5B model: a path with a false
sum is wrong in 19 of 20 cases, and a fifth to a third of all wrong paths have one. So this reads few notations and is
silent about all others: it must not accuse a right path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

#: Of a text; what comes after is not looked at.
MAX_CHARS = 20_000

_SPELLINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\(?:text|mathrm|textbf|mathbf|textrm|mbox)\s?\{([^{}]*)\}", r" \1 "),
        (r"\\boxed\s?\{([^{}]*)\}", r"\1"),
        (r"\\[dtc]?frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\\(?:times|cdot)(?![A-Za-z])|[×·∙∗]|(?<=\d) ?\*\* ?(?=\D)(?!\d)", " * "),
        (r"\\div(?![A-Za-z])|÷", " / "),
        (r"[−–]", "-"),
        (r"\{,\}", ","),
        (r"\\[,;:! ]", " "),
        (r"\\?\$|\\[()\[\]]|&|\\left|\\right|\\quad", " "),
        (r"(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"\*\*", " "),
    )
)
_NUMBER = r"\d+(?:\.\d+)?"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER}(?![A-Za-z]))|(?P<sign>[-+*/()])|(?P<word>[A-Za-z]+)|(?P<other>\S))")
#: Words behind a number are its unit; behind these the sentence goes on with another meaning.
_NO_UNIT = frozenset(
    {"of", "mod", "modulo", "remainder", "r", "choose", "base", "percent", "x", "and", "or"}
    | {"tens", "ones", "hundreds", "thousands", "dozen"}
)
_MAX_UNIT_WORDS = 3
_DOUBT = re.compile(r"\b(?:not|isn't|wrong|incorrect|suppose|if|would|remainder|mod|approximately|round\w*)\b", re.I)
_OWN_ARITHMETIC = re.compile(
    r"\b(?:operations?|operator|modulo|congruent|(?:in|to|from) base)\b"
    r"|\\(?:[pb]?mod|star|oplus|otimes|circ)\b|\d_\{?\d",
    re.IGNORECASE,
)


#: Within a line of words; and what a line of a list begins with.
_FORMULA = re.compile(r"\\\((.*?)\\\)")
_MARKER = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")


class _Unread(Exception):
    """A notation that is passed over."""


def false_sum(text: str, problem: str = "") -> str:
    """The first false sum of a path's text as it was read; "" where there is none.

    A problem with an arithmetic of its own (a defined operation, remainders, another base) is passed over.
    """
    if "=" not in text or _OWN_ARITHMETIC.search(problem):
        return ""
    for line in text[:MAX_CHARS].splitlines():
        for part in _FORMULA.findall(line) or [_MARKER.sub("", line)]:
            for left, right in _equations(part):
                if not _holds(left, right):
                    return f"{left} = {right}"
    return ""


def _equations(line: str) -> Iterator[tuple[str, str]]:
    """What stands left and right of each lone equals sign."""
    if "=" not in line or "%" in line or "^" in line or "=>" in line or _DOUBT.search(line):
        return
    for pattern, plain in _SPELLINGS:
        line = pattern.sub(plain, line)
    if re.search(r"[=<>!]=|[<>≈≠\\{}|?_:]\s*=|=\s*=", line):
        return
    sides = line.split("=")
    for left, right in pairwise(sides):
        left, right = re.split(r"[,;:]\s", left)[-1], re.split(r"[,;:]\s|\.\s|\.$", right)[0]
        yield left.strip(), right.strip()


def _holds(left: str, right: str) -> bool:
    """Whether the equation holds, may hold by rounding, or is none of two plain calculations."""
    try:
        first, operations = _calculated(left, tail=True)
        second, more = _calculated(right, tail=False)
    except (_Unread, ZeroDivisionError):
        return True
    if not operations or more:
        return True
    decimals = re.search(r"\.(\d+)", right)
    if decimals or first.denominator != 1:
        return abs(first - second) <= Fraction(1, 10 ** len(decimals[1]) if decimals else 1)
    return first == second


def _calculated(text: str, *, tail: bool) -> tuple[Fraction, int]:
    """The value of a calculation with units, and how many operations it has; words before it are left out in a `tail`.

    Raises: _Unread.
    """
    tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
    if tail:
        tokens = _behind_words(tokens)
    reader = _Reader(tokens)
    value = reader.sum()
    if reader.at < len(tokens) and (tail or tokens[reader.at][0] != "word"):
        raise _Unread
    return value, reader.operations


def _behind_words(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the words that the sentence begins with: `So she has 16 - 3` is `16 - 3`."""
    begin = next((i for i, (kind, text) in enumerate(tokens) if kind == "number" or text == "("), 0)
    if any(kind != "word" for kind, _ in tokens[:begin]) or (begin and len(tokens[begin - 1][1]) == 1):
        raise _Unread  # also `f(3) + 1` and `x 3`
    return tokens[begin:]


class _Reader:
    """Reads sums of products of numbers that may have units; terms of a sum must not have different ones."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self.at, self.operations = tokens, 0, 0

    def sum(self) -> Fraction:
        value, unit = self._product()
        while self._sign() in ("+", "-"):
            plus = self._take()[1] == "+"
            term, other = self._product()
            if unit and other and unit.rstrip("s") != other.rstrip("s"):
                raise _Unread
            value, unit = (value + term if plus else value - term), unit or other
        return value

    def _product(self) -> tuple[Fraction, str]:
        value, unit = self._factor()
        while self._sign() in ("*", "/"):
            times = self._take()[1] == "*"
            factor, other = self._factor()
            value, unit = (value * factor if times else value / factor), unit or other
        return value, unit

    def _factor(self) -> tuple[Fraction, str]:
        kind, text = self._take()
        if text == "-" and self.at == 1:
            value, unit = self._factor()
            return -value, unit
        if kind == "number":
            return Fraction(text), self._unit()
        if text != "(":
            raise _Unread
        value = self.sum()
        if self._take()[1] != ")":
            raise _Unread
        return value, self._unit()

    def _unit(self) -> str:
        words: list[str] = []
        while self._kind(self.at) == "word" and len(words) < _MAX_UNIT_WORDS:
            word = self._tokens[self.at][1].casefold()
            if word in _NO_UNIT or len(word) == 1:  # a variable
                raise _Unread
            words.append(word)
            self.at += 1
            if self._tokens[self.at : self.at + 1] == [("sign", "/")] and self._kind(self.at + 1) == "word":
                self.at += 1
        return " ".join(words)

    def _kind(self, at: int) -> str:
        return self._tokens[at][0] if at < len(self._tokens) else ""

    def _sign(self) -> str:
        if self.at >= len(self._tokens):
            return ""
        if self._tokens[self.at][1] in ("+", "-", "*", "/"):
            self.operations += 1
            return self._tokens[self.at][1]
        return ""

    def _take(self) -> tuple[str, str]:
        if self.at >= len(self._tokens):
            raise _Unread
        self.at += 1
        return self._tokens[self.at - 1]
