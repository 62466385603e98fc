r"""Equations, inequalities and congruences; `x=5` and `x \in S` name what they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from ssr.orchestrator.equivalence.reading.expression import Expression, constant
from ssr.orchestrator.equivalence.reading.forms import Congruence, Form, Interval, Named, Relation
from ssr.orchestrator.equivalence.reading.formula import expression
from ssr.orchestrator.equivalence.reading.quantity import sides
from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, NotRead, source, split

_NAME = re.compile(
    r"(?:\\?[A-Za-z]+'*(?:_(?:\{[^{}]*\}|\w+))?(?:\s?\((?:\\?[A-Za-z]+|\d+)(?:,\s?\\?[A-Za-z]+)*\))?"
    r"|⟦[^⟧]*⟧|\(\s?\\?[A-Za-z](?:_\{?\w\}?)?(?:\s?,\s?\\?[A-Za-z](?:_\{?\w\}?)?)+\s?\)"
    r"|\\(?:overline|vec|mathbf|angle|triangle)\s?\{?[A-Za-z ]+\}?|[A-Za-z]{3,}(?: [A-Za-z]+){0,4}"
    r"|d[a-z]/d[a-z]|\\frac\s?\{d[a-z]\}\{d[a-z]\})"
)
_ROUND = {">": "<", r"\ge": r"\le"}
_OPS: dict[str, Literal["=", "<", "<=", "!="]] = {"=": "=", r"\approx": "=", "<": "<", r"\le": "<=", r"\ne": "!="}
_SIGNS = ("=", r"\approx", "<", ">", r"\le", r"\ge", r"\ne")
_INFINITE = constant("inf")
_BELOW = Expression("neg", (_INFINITE,))

Reader = Callable[[Sequence[FormulaToken]], Form]


def relation(tokens: list[FormulaToken], read: Reader) -> Form | None:
    """The relation that `tokens` are, or None where they have no sign of one; `read` reads what is named."""
    if any(token.text in (r"\pmod", r"\equiv", "mod") for token in tokens):
        return _congruence(tokens, read)
    member = split(tokens, r"\in")
    if len(member) == 2:
        return Named(source(member[0]), read(member[1]))
    sides_ = split(tokens, *_SIGNS)
    signs = _signs_outside(tokens)
    if len(sides_) == 1:
        return None
    if len(sides_) == 2:
        return _between_two(sides_[0], signs[0], sides_[1], read)
    return _chain(sides_, signs, read)


def _signs_outside(tokens: Sequence[FormulaToken]) -> list[str]:
    """The signs of relations that are in no brackets."""
    found, depth = [], 0
    for token in tokens:
        if depth == 0 and token.among(*_SIGNS):
            found.append(token.text)
        depth += token.among("(", "[", "{", r"\{", r"\langle") - token.among(")", "]", "}", r"\}", r"\rangle")
    return found


def _between_two(left: list[FormulaToken], sign: str, right: list[FormulaToken], read: Reader) -> Form:
    if sign in _ROUND:
        left, sign, right = right, _ROUND[sign], left
    op = _OPS[sign]
    if op == "=":
        return _equation(left, right, read)
    if not left or not right:  # "≥ 5" says it of what the problem asks for
        return _one_sided(left, right, closed=op == "<=") if op != "!=" else _apart(right or left)
    return Relation(op, sides(left), sides(right))


def _equation(left: list[FormulaToken], right: list[FormulaToken], read: Reader) -> Form:
    if not right:
        raise NotRead("an equation without an end")
    if not left:
        return read(right)
    if name := _name_of(left):
        return Named(name, read(right))
    if (name := _name_of(right)) and name.isalpha() is not False:
        return Named(name, read(left))
    return Relation("=", sides(left), sides(right))


def _name_of(tokens: Sequence[FormulaToken]) -> str | None:
    text = source(tokens)
    return text.replace(" ", "") if _NAME.fullmatch(text) and text not in ("e", "i", r"\pi", "pi") else None


def _one_sided(left: list[FormulaToken], right: list[FormulaToken], *, closed: bool) -> Interval:
    if left:
        return Interval(sides(left), _INFINITE, closed, False)
    return Interval(_BELOW, sides(right), False, closed)


def _apart(tokens: list[FormulaToken]) -> Form:
    return Relation("!=", Expression("var", value="x"), sides(tokens))


def _chain(parts: list[list[FormulaToken]], signs: list[str], read: Reader) -> Form:
    if set(signs) <= {"=", r"\approx"}:  # x = 2+3 = 5
        name = _name_of(parts[0])
        return Named(name, read(parts[-1])) if name else read(parts[-1])
    if len(parts) != 3 or not (set(signs) <= {"<", r"\le"} or set(signs) <= {">", r"\ge"}):
        raise NotRead("a chain of relations")
    if signs[0] in _ROUND:
        parts, signs = parts[::-1], [_ROUND[sign] for sign in signs[::-1]]
    low, high = sides(parts[0]), sides(parts[2])
    interval = Interval(low, high, signs[0] == r"\le", signs[1] == r"\le")
    name = _name_of(parts[1])
    if name is None:
        raise NotRead("bounds of a formula")
    return Named(name, interval)


def _congruence(tokens: list[FormulaToken], read: Reader) -> Form:
    r"""`x \equiv 3 \pmod{7}`, `3 mod 7`."""
    left, *rest = split(tokens, r"\equiv")
    if len(rest) > 1:
        raise NotRead("a chain of congruences")
    body = [token for token in (rest[0] if rest else left)]
    place = next((i for i, token in enumerate(body) if token.text in (r"\pmod", "mod", r"\mod", r"\bmod")), None)
    if place is None:
        raise NotRead("a congruence without a modulus")
    start, modulus = body[:place], body[place + 1 :]
    if start and start[-1].among("(") and modulus and modulus[-1].among(")"):
        start, modulus = start[:-1], modulus[:-1]
    found = Congruence(expression(start), expression(modulus))
    name = _name_of(left) if rest else None
    return Named(name, found) if name else found
