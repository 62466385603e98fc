"""Ways to write one value: LaTeX, Unicode and words."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction

#: The ways to write a value, and those to write the near miss.
Ways = tuple[list[str], list[str]]

_ONES = (
    "zero",
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth"}
_PARTS |= {10: "tenth", 11: "eleventh", 12: "twelfth", 20: "twentieth", 100: "hundredth"}
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_VULGAR = {Fraction(1, 2): "½", Fraction(1, 3): "⅓", Fraction(2, 3): "⅔", Fraction(1, 4): "¼", Fraction(3, 4): "¾"}

#: Ways to write a value that is written as a LaTeX formula.
_WRAPPERS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: f"${text}$",
    lambda text: rf"\({text}\)",
    lambda text: rf"\[{text}\]",
    lambda text: f"{text}.",
    lambda text: rf"\,{text}\,",
    lambda text: rf"\displaystyle {text}",
    lambda text: f"  {text} ",
    lambda text: rf"\boxed{{{text}}}",
)


def wrapped(dice: random.Random, text: str) -> str:
    """The same answer with what models put around it."""
    return dice.choice(_WRAPPERS)(text)


def words(number: int) -> str:
    """A whole number below a million in words."""
    if number < 0:
        return f"minus {words(-number)}"
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" and {words(number % 100)}" if number % 100 else ""
        return f"{_ONES[number // 100]} hundred{rest}"
    rest = f" {words(number % 1000)}" if number % 1000 else ""
    return f"{words(number // 1000)} thousand{rest}"


def superscript(number: int) -> str:
    return str(number).translate(_SUPERSCRIPTS)


def integers(number: int) -> Sequence[str]:
    """Ways to write a whole number."""
    ways = [str(number), f"{number}.0", f"{number:,}", f"{number:,}".replace(",", "{,}"), rf"\text{{{number}}}"]
    ways += [f"{number:,}".replace(",", "\u202f"), f"{number:,}".replace(",", r"\,"), rf"\mathbf{{{number}}}"]
    ways += [rf"\frac{{{2 * number}}}{{2}}", f"{3 * number}/3"]
    if number < 0:
        ways.append(f"−{-number}")
    if abs(number) < 1_000_000:
        ways.append(words(number))
    return ways


def fractions(value: Fraction) -> Sequence[str]:
    """Ways to write a fraction that is no whole number."""
    top, bottom = value.numerator, value.denominator
    sign, size = ("-" if top < 0 else ""), abs(top)
    ways = [f"{top}/{bottom}", rf"\frac{{{top}}}{{{bottom}}}", rf"{sign}\dfrac{{{size}}}{{{bottom}}}"]
    ways += [rf"\left({sign}\tfrac{{{size}}}{{{bottom}}}\right)", f"{sign}{3 * size}/{3 * bottom}"]
    if size < 10 and bottom < 10:
        ways.append(rf"{sign}\frac{size}{bottom}")
    if size > bottom:
        whole, rest = divmod(size, bottom)
        ways += [f"{sign}{whole} {rest}/{bottom}", rf"{sign}{whole}\frac{{{rest}}}{{{bottom}}}"]
    if abs(value) in _VULGAR:
        ways.append(sign + _VULGAR[abs(value)])
    return [*ways, *_fraction_in_words(sign, size, bottom), *_decimals(value)]


def _fraction_in_words(sign: str, size: int, bottom: int) -> Sequence[str]:
    minus = "negative " if sign else ""
    ways = [f"{minus}{words(size)} over {words(bottom)}"]
    if bottom in _PARTS and size < bottom:
        part = _PARTS[bottom]
        plural = "halves" if bottom == 2 else f"{part}s"
        ways.append(f"{minus}{words(size)} {part if size == 1 else plural}")
    return ways


def _decimals(value: Fraction) -> Sequence[str]:
    """Finite decimals as such, and simple repeating ones with their bar."""
    bottom = value.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    if bottom == 1:
        return [f"{float(value):.10f}".rstrip("0")]
    if value.denominator in (3, 9, 11, 99, 7) and value > 0:
        length = {3: 1, 9: 1, 11: 2, 99: 2, 7: 6}[value.denominator]
        whole, rest = divmod(value.numerator, value.denominator)
        cycle = str(rest * (10**length - 1) // value.denominator).zfill(length)
        return [rf"{whole}.\overline{{{cycle}}}", f"{whole}.({cycle})", f"{whole}.{cycle * 3}..."]
    return []
