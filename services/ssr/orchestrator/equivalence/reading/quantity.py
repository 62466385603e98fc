r"""Quantities: a formula with a unit behind it or a currency before it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ssr.orchestrator.equivalence.reading import units
from ssr.orchestrator.equivalence.reading.expression import Expression, number
from ssr.orchestrator.equivalence.reading.forms import Form, Quantity
from ssr.orchestrator.equivalence.reading.formula import expression
from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, NotRead, source

_CURRENCIES = ("$", r"\$", "€", "£", "¥", "₹", r"\pounds", r"\euro")
_CODES = ("USD", "US", "EUR", "GBP", "Rs", "INR")
_SIGNS = {"$": "dollar", r"\$": "dollar", r"\pounds": "£", r"\euro": "€"}
_BARE_LETTERS = ("m", "g", "s", "h", "L", "l", "J", "N", "W", "V", "A")
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12, "mil": 6}
_DIFFERENTIAL = re.compile(r"[a-zA-Z]*d[a-zA-Z]?")
_LETTERS_OF_TIME = {
    letter: FormulaToken("text", word) for letter, word in (("h", "hours"), ("m", "minutes"), ("s", "seconds"))
}
_COMPOUND_LIMIT = 4
_CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")


def quantity(tokens: Sequence[FormulaToken]) -> Quantity:
    """The quantity that all of `tokens` are. Raises NotRead."""
    rest, unit = _currency(list(tokens))
    if unit is not None and len(rest) > 2 and rest[1].kind == "name" and rest[1].text in ("a", "an"):
        rest[1] = FormulaToken("name", "per", spaced=True)  # $5 a day
    rest, behind = _unit(rest)
    if unit is None:
        unit = behind
    elif behind is not None and behind.bases and behind.bases != unit.bases:
        unit = units.Unit(tuple(sorted((*unit.bases, *behind.bases))), unit.factor * behind.factor, behind.side)
    elif behind is not None:
        unit = replace(unit, side=behind.side)
    if unit is not None and not unit.bases:
        rest = rest if unit.factor == 1 else _times(rest, unit.factor)
        unit = units.Unit((), side=unit.side) if unit.side else None
    rest, scale = _scaled(rest)
    formula = expression(rest)
    if scale:
        formula = Expression("*", (formula, number(10**scale)))
    return Quantity(formula, unit, _perhaps(rest) if unit is None else None, _digits(rest))


def measures(tokens: Sequence[FormulaToken]) -> Quantity | None:
    """`2 hours 30 minutes` as one quantity; None where the tokens are not several with units."""
    parts: list[list[FormulaToken]] = [[]]
    for token in tokens:
        if token.kind == "num" and parts[-1] and parts[-1][-1].kind in ("name", "text"):
            parts.append([])
        parts[-1].append(token)
    if not 2 <= len(parts) <= _COMPOUND_LIMIT or any(part[0].kind != "num" for part in parts):
        return None
    letters = [part[1].text for part in parts if len(part) > 1]
    if {"h", "s"} & set(letters):  # then an m is no metre
        parts = [[part[0], *(_LETTERS_OF_TIME.get(token.text, token) for token in part[1:])] for part in parts]
    return summed([quantity(part) for part in parts])


def summed(forms: Sequence[Form]) -> Quantity | None:
    """2 hours and 30 minutes as one quantity; None where the forms are not parts of one."""
    parts = [form for form in forms if isinstance(form, Quantity) and form.unit is not None]
    if len(parts) != len(forms) or len(forms) > _COMPOUND_LIMIT or len(forms) < 2:
        return None
    sizes = [part.unit for part in parts if part.unit is not None]
    falling = all(a.bases == b.bases and a.factor > b.factor for a, b in itertools.pairwise(sizes))
    if not falling or sizes[0].bases[0][0].startswith("~"):
        return None
    total = number(0)
    for part, size in zip(parts, sizes, strict=True):
        one = Expression("*", (part.formula, number(size.factor / sizes[0].factor)))
        total = Expression("+", (total, one))
    return Quantity(total, sizes[0])


def _currency(tokens: list[FormulaToken]) -> tuple[list[FormulaToken], units.Unit | None]:
    r"""`\$5`, `-\$5`, `US\$ 5`, `USD 5`: without its currency, and that."""
    sign = tokens[:1] if tokens and tokens[0].among("-", "+") else []
    place = len(sign)
    code = tokens[place].text.strip() if place < len(tokens) and tokens[place].kind in ("name", "text") else ""
    if code in _CODES and place + 1 < len(tokens) and tokens[place + 1].among(*_CURRENCIES):
        place += 1
    if place + 1 >= len(tokens):
        return tokens, None
    word = tokens[place].text.strip()
    if not (tokens[place].among(*_CURRENCIES) or (word in _CODES and tokens[place + 1].kind == "num")):
        return tokens, None
    unit = units.unit_of([FormulaToken("text", _SIGNS.get(word, word))])
    return sign + tokens[place + 1 :], unit


def _unit(tokens: list[FormulaToken]) -> tuple[list[FormulaToken], units.Unit | None]:
    """The formula's tokens and the unit behind it: the longest one that leaves a formula."""
    for place in range(_past_differentials(tokens), len(tokens)):
        if not _may_begin(tokens, place):
            continue
        unit = units.unit_of(tokens[place:])
        if unit is None:
            continue
        if _compound(tokens[:place], unit):
            continue
        return tokens[:place], unit
    return tokens, None


def _past_differentials(tokens: Sequence[FormulaToken]) -> int:
    """Where a unit may begin at the earliest: not in an integral, whose `dx` looks like one."""
    if not any(token.among(r"\int") for token in tokens):
        return 1
    return 1 + max((place for place, token in enumerate(tokens) if _DIFFERENTIAL.fullmatch(token.text)), default=0)


def _may_begin(tokens: list[FormulaToken], place: int) -> bool:
    """Whether a unit may begin there: behind a value, with a word of it or a sign that is one."""
    before, token = tokens[place - 1], tokens[place]
    if not (before.kind in ("num", "name") or before.among(")", "}", r"\pi", "]", "!", "|")):
        return False
    if token.kind == "text":
        return True
    if token.among("°") and any(one.text.removeprefix("\\") in _CIRCULAR for one in tokens[:place]):
        return False  # of the function's argument
    if token.among("%", r"\%", "°", "€", "£", "¥", "₹", "¢", r"\$"):
        return True
    if token.kind != "name" or before.kind == "name":
        return False
    if token.text.lower() in _SCALES:
        return False
    if len(token.text) == 1:
        return token.spaced and token.text in _BARE_LETTERS and before.kind == "num" and not _has_names(tokens[:place])
    return token.spaced or units.known(token.text)


def _has_names(tokens: Sequence[FormulaToken]) -> bool:
    return any(token.kind == "name" for token in tokens)


def _compound(before: Sequence[FormulaToken], unit: units.Unit) -> bool:
    return any(token.kind == "text" and token.text.strip() not in ("", "i") for token in before) and bool(unit.bases)


def _scaled(tokens: list[FormulaToken]) -> tuple[list[FormulaToken], int]:
    """Without "million" and the like at the end, and the power of ten that it is."""
    if len(tokens) > 1 and tokens[-1].kind in ("name", "text"):
        scale = _SCALES.get(tokens[-1].text.strip().lower(), 0)
        if scale:
            return tokens[:-1], scale
    return tokens, 0


def _times(tokens: list[FormulaToken], factor: Fraction) -> list[FormulaToken]:
    return [*tokens, FormulaToken("op", "*"), FormulaToken("num", str(factor), value=factor)]


def _perhaps(tokens: Sequence[FormulaToken]) -> units.Unit | None:
    """The metres of `5m`."""
    if len(tokens) == 2 and tokens[0].kind == "num" and tokens[1].kind == "name" and tokens[1].text in _BARE_LETTERS:
        return units.unit_of(tokens[1:])
    return None


def _digits(tokens: Sequence[FormulaToken]) -> str:
    r"""The 101 of `101_2`, and of 101."""
    if not tokens or tokens[0].kind != "num":
        return ""
    return tokens[0].text if len(tokens) == 1 or tokens[1].among("_") else ""


def sides(tokens: Sequence[FormulaToken]) -> Expression:
    """One side of a relation: a formula, whose unit is left out."""
    found = quantity(tokens)
    if found.formula.has("pm"):
        raise NotRead(f"both signs on one side of a relation: {source(tokens)}")
    return found.formula
