"""Numbers that name their base: 101_2, 101 base 2, 1A_{16}, 0x1A."""

from __future__ import annotations

import re

from ssr.orchestrator.equivalence.reading.expression import number
from ssr.orchestrator.equivalence.reading.forms import Quantity
from ssr.orchestrator.equivalence.reading.tokens import NotRead

_CODED = re.compile(r"0[xX][0-9a-fA-F]{1,64}|0[bB][01]{1,256}|0[oO][0-7]{1,80}")
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_WORDS |= {"twelve": 12, "sixteen": 16}
_BASE = rf"\d{{1,2}}|{'|'.join(_WORDS)}"
_BASED = re.compile(
    r"[({]?(?P<digits>\d[0-9A-Fa-f]{0,79}|[0-9A-F]{2,80})[)}]?"
    rf"(?: ?_ ?\{{? ?\(?(?:base )?(?P<base>{_BASE}|hex)\)?\}}?"
    rf"|,? \(?(?:in )?base[ -](?P<word>{_BASE})\)?)"
)
_SIZES = {**_WORDS, "hex": 16}


def number_in_base(text: str) -> Quantity | None:
    """The number; None where it names no base. Raises NotRead for digits that the base does not have."""
    if _CODED.fullmatch(text):
        return Quantity(number(int(text, 0)))
    based = _BASED.fullmatch(text)
    if based is None:
        return None
    digits, base = based["digits"], based["base"] or based["word"]
    if base == "1" or (digits.isalpha() and base not in ("16", "sixteen", "hex")):  # A_{11}
        raise NotRead("a name with a subscript")
    return Quantity(number(in_base(digits, base)), digits=digits.upper())


def in_base(digits: str, base: str) -> int:
    """The number of these digits. Raises NotRead for a base that is none."""
    size = _SIZES.get(base.strip("()⟦⟧ "), int(base.strip("()")) if base.strip("()").isdigit() else 0)
    if not 2 <= size <= 36 or not digits.isalnum() or not digits.isascii():
        raise NotRead(f"the base {base!r}")
    try:
        return int(digits, size)
    except ValueError as error:
        raise NotRead(f"{digits} in base {base}") from error
