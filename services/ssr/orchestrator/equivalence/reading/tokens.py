"""Answers cut into numbers, names, commands, text blocks and signs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction


class NotRead(Exception):
    """What is written follows no notation that this package reads."""


@dataclass(frozen=True, slots=True)
class FormulaToken:
    r"""`kind` is "num", "name" (a run of letters), "cmd" (`\frac`), "text" (a block of words) or "op" (one sign).

    `value` is a number's value; `spaced` says that a blank is before it.
    """

    kind: str
    text: str
    spaced: bool = False
    value: Fraction | None = None

    def among(self, *texts: str) -> bool:
        return self.kind != "text" and self.text in texts


_THOUSANDS = r"\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?"
_PLAIN = r"\d+(?:\.\d+)?|\.\d+"
_POWER = r"(?:[eE][+-]?\d{1,6}(?![\w.]))?"
_CYCLE = r"(?:\\(?:overline|bar|dot|overset)\s?(?:\{(?P<over>\d+)\}|(?P<one>\d))|\((?P<round>\d+)\))"
_REPEATING = re.compile(rf"(?P<whole>\d*)\.(?P<fixed>\d*){_CYCLE}")
_DOTTED = re.compile(r"(?P<whole>\d*)\.(?P<fixed>\d*)(?P<cycle>\\dot\s?\{?\d\}?\d*\\dot\s?\{?\d\}?)")
_ENDLESS = re.compile(r"(?P<whole>\d*)\.(?P<digits>\d{2,60})\s?\\ldots(?![A-Za-z])\s?(?!\d)")
_TOKEN = re.compile(
    rf"\s*(?:(?P<big>{_THOUSANDS})|(?P<num>(?:{_PLAIN}){_POWER})|(?P<name>[A-Za-z]+)"
    r"|(?P<cmd>\\(?:[A-Za-z]+|[{}$%&#_|\\]))|⟦(?P<text>[^⟧]*)⟧|(?P<op>\S))"
)
#: Longer numbers are not worth their arithmetic.
_MAX_DIGITS = 1000
_OPENING, _CLOSING = ("(", "[", "{", r"\{", r"\langle"), (")", "]", "}", r"\}", r"\rangle")


def tokens_of(text: str) -> list[FormulaToken]:
    """The tokens of a plain answer. Raises NotRead for numbers out of all bounds."""
    found: list[FormulaToken] = []
    position, depth = 0, 0
    loose = ", " in text
    while position < len(text):
        token, position = _next(text, position, thousands=depth == 0 or loose)
        if token is not None:
            depth += token.among(*_OPENING) - token.among(*_CLOSING)
            found.append(token)
    return found


def _next(text: str, position: int, *, thousands: bool) -> tuple[FormulaToken | None, int]:
    start = position + (len(text[position:]) - len(text[position:].lstrip()) if text[position].isspace() else 0)
    spaced = start > position
    for pattern, value_of in ((_DOTTED, _dotted), (_REPEATING, _repeating), (_ENDLESS, _endless)):
        match = pattern.match(text, start)
        if match and (value := value_of(match)) is not None:
            return FormulaToken("num", match[0], spaced, value), match.end()
    match = _TOKEN.match(text, position)
    if match is None:
        return None, len(text)
    kind = str(match.lastgroup)
    if kind == "big" and not thousands:
        match = re.compile(rf"\s*(?P<num>{_PLAIN})").match(text, position)
        assert match is not None
        kind = "num"
    if kind in ("big", "num"):
        digits = match[kind].replace(",", "")
        return FormulaToken("num", digits, spaced, _number(digits)), match.end()
    return FormulaToken(kind, match[kind], spaced), match.end()


def _number(digits: str) -> Fraction:
    mantissa, _, power = digits.lower().partition("e")
    if len(mantissa) > _MAX_DIGITS or abs(int(power or 0)) > _MAX_DIGITS:
        raise NotRead("a number of too many digits")
    return Fraction(mantissa) * Fraction(10) ** int(power or 0)


def _repeating(match: re.Match[str]) -> Fraction | None:
    cycle = match["over"] or match["one"] or match["round"]
    if match["round"] and not match["whole"]:
        return None
    return _periodic(match, cycle)


def _dotted(match: re.Match[str]) -> Fraction | None:
    """Dots over the first and the last digit of a cycle."""
    return _periodic(match, re.sub(r"\D|dot", "", match["cycle"]))


def _periodic(match: re.Match[str], cycle: str) -> Fraction | None:
    fixed = match["fixed"]
    if len(fixed) + len(cycle) > _MAX_DIGITS:
        return None
    size = Fraction(int(match["whole"] or 0)) + Fraction(int(fixed or 0), 10 ** len(fixed))
    return size + Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(fixed))


def _endless(match: re.Match[str]) -> Fraction | None:
    """0.1666...: the shortest cycle that its digits end with at least twice (three times where it is one digit)."""
    digits = match["digits"]
    for length in range(1, len(digits) // 2 + 1):
        cycle, times = digits[-length:], 3 if length == 1 and len(digits) > 2 else 2
        if digits.endswith(cycle * times) and cycle.strip("0"):
            start = len(digits) - length
            size = Fraction(int(match["whole"] or 0)) + Fraction(int(digits[:start] or 0), 10**start)
            return size + Fraction(int(cycle), (10**length - 1) * 10**start)
    return None


def depths(tokens: Sequence[FormulaToken]) -> Iterator[tuple[FormulaToken, int]]:
    """Each token, and how many brackets are open behind it."""
    depth = 0
    for token in tokens:
        depth += token.among(*_OPENING) - token.among(*_CLOSING)
        yield token, depth


def split(tokens: Sequence[FormulaToken], *separators: str) -> list[list[FormulaToken]]:
    """`tokens` cut at the separators that are in no brackets. Raises NotRead where brackets do not fit together."""
    parts: list[list[FormulaToken]] = [[]]
    depth = 0
    for token, depth in depths(tokens):
        if depth < 0:
            raise NotRead("a bracket closes what none opened")
        if depth == 0 and token.among(*separators):
            parts.append([])
        else:
            parts[-1].append(token)
    if depth:
        raise NotRead("a bracket that is never closed")
    return parts


def enclosed(tokens: Sequence[FormulaToken]) -> bool:
    """Whether one pair of brackets holds everything."""
    for index, (_, depth) in enumerate(depths(tokens)):
        if depth <= 0:
            return index == len(tokens) - 1 and index > 0 and depth == 0
    return False


def source(tokens: Sequence[FormulaToken]) -> str:
    """What the tokens were cut from, with single blanks."""
    return "".join((" " if token.spaced else "") + token.text for token in tokens).strip()


def unspaced(token: FormulaToken) -> FormulaToken:
    return replace(token, spaced=False)
