r"""One spelling for the many ways to write the same answer, and the questions that it settles without algebra.

What is decided here:
- A unit is dropped, the percent and degree signs included: `12\text{ cm}` is `12`; `50\%` is `50` and not `0.5`.
- A power of ten in words counts: `3\text{ million}` is `3000000`.
- `1,000` is one thousand; `1, 000` and `(1,000)` are lists.
- Words (three letters or more in a row, nothing but letters) are words and not products of variables.
- `(B)`, `B.` and `B` are the same choice.
- Clock times are the same only if written the same: `10:30` is not the ratio `5:15`.
- `(3,4)` is ordered, so a bare `3,4` next to it is ordered too; `\{3,4\}` is a set and never equals `(3,4)`.
"""

from __future__ import annotations

import re

from ssr.orchestrator.equivalence.plain_number import exact

# `(?<!\\)` keeps off the line break of a matrix: the `\\` of `1 \\ 2` is not a `\` and an escaped blank.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])"), ""),
    (re.compile(r"(?<!\\)\\[!,;:]"), ""),
    (re.compile(r"\\q?quad(?![A-Za-z])|(?<!\\)\\(?=\s)|~"), " "),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"[\u2212\u2013]"), "-"),
)
_TEXT = r"\\(?:text(?:rm|bf|it|normal)?|math(?:rm|bf)|mbox)\s?"
_WRAPPED = re.compile(rf"{_TEXT}\{{([^{{}}]*+)\}}")
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_POWER_WORD = re.compile(rf"(?<=\d)\s?(?:{_TEXT}\{{)?\s*+({'|'.join(_POWERS)})(?![a-z])[^{{}}\d]*+\}}?$")
_AFTER_NUMBER = r"(?:(?<=[\d})])|(?<=\\circ))\s?"
_TEXT_UNIT = re.compile(rf"{_AFTER_NUMBER}{_TEXT}\{{[^{{}}]*+\}}(?:\^\{{?\d\}}?)?$")
_SIGN_UNIT = re.compile(rf"{_AFTER_NUMBER}(?:\\?%|\^\{{?\\circ\}}?|\\degree|°)$")
_CURRENCY = re.compile(r"^(-?)\\?\$\s?(?=[\d.])")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})++(?:\.\d++)?")
_LOOSE_BLANK = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_CHOICE = re.compile(r"\(?([A-Z])\)")
_WORDS = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z]++(?:[ '-][A-Za-z]++)*+")
_CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d")
_NAMED = re.compile(r"(\\?[A-Za-z]++(?:_\{?\w++\}?)?(?:\([A-Za-z]\))?)=([^=<>]++)")
_RELATION = re.compile(r"[=<>:]|\\(?:[lg]eq?|in|neq?)(?![A-Za-z])")


def normalise(answer: str) -> str:
    r"""`answer` in its plainest spelling: no delimiters, sizing, spacing, units, thousands separators.

    A blank stays where it parts two letters or digits (`3 1/2`) and follows every comma of a list.
    """
    text = _undelimited(answer)
    for pattern, plain in _REWRITES:
        text = pattern.sub(plain, text)
    text = _tidy(text)
    if wrapped := _WRAPPED.fullmatch(text):
        text = _tidy(wrapped[1])
    text = _POWER_WORD.sub(lambda word: rf"\cdot10^{{{_POWERS[word[1]]}}}", text)
    text = _SIGN_UNIT.sub("", _TEXT_UNIT.sub("", _CURRENCY.sub(r"\1", text)))
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    text = _LOOSE_BLANK.sub("", text).replace(",", ", ").strip()
    return choice[1] if (choice := _CHOICE.fullmatch(text)) else text


def same_text(a: str, b: str) -> bool:
    """Whether two answers have the same plain spelling; the last resort where algebra gives no verdict."""
    return _same_spelling(normalise(a), normalise(b))


def settled(a: str, b: str) -> bool | None:
    """The verdict on two normalised answers where spelling alone gives it; None: ask the algebra."""
    if not a or not b:
        return a == b
    if _same_spelling(a, b):
        return True
    if _WORDS.fullmatch(a) and _WORDS.fullmatch(b):
        return a.casefold() == b.casefold()
    if _CLOCK.fullmatch(a) and _CLOCK.fullmatch(b):
        return False
    number_a, number_b = exact(_value(a, b)), exact(_value(b, a))
    if number_a is not None and number_b is not None:
        return number_a == number_b
    return False if {_shape(a), _shape(b)} == {"ordered", "set"} else None


def aligned(a: str, b: str) -> tuple[str, str]:
    """Two normalised answers as the algebra should see them: a bare list beside an ordered one is ordered too."""
    if _shape(a) == "ordered" and _shape(b) == "list":
        return a, f"({b})"
    if _shape(a) == "list" and _shape(b) == "ordered":
        return f"({a})", b
    return a, b


def _undelimited(answer: str) -> str:
    r"""`answer` without `$...$`, `\(...\)` or `\[...\]` around it, nor the full stop after."""
    text, before = answer, None
    while text != before:
        before = text
        text = text.strip().rstrip(". ").removeprefix("$")
        text = text.removeprefix(r"\(").removeprefix(r"\[").removesuffix(r"\)").removesuffix(r"\]")
        if not text.endswith("\\$"):
            text = text.removesuffix("$")
    return text


def _tidy(text: str) -> str:
    return " ".join(text.split()).rstrip(".,; ")


def _same_spelling(a: str, b: str) -> bool:
    return a == b or _value(a, b) == _value(b, a)


def _value(text: str, other: str) -> str:
    """What an answer `x=5` says, unless the other answer names something else."""
    named, rival = _NAMED.fullmatch(text), _NAMED.fullmatch(other)
    if named is None or (rival is not None and rival[1] != named[1]):
        return text
    return named[2]


def _shape(text: str) -> str:
    if _RELATION.search(text):
        return "other"
    if _lists(text):
        return "list"
    if text.startswith("(") and text.endswith(")") and _lists(text[1:-1]):
        return "ordered"
    return "set" if text.startswith(r"\{") and text.endswith(r"\}") else "other"


def _lists(text: str) -> bool:
    """Whether `text` has a comma outside all brackets, and no bracket that closes what it did not open."""
    depth = commas = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return False
        commas += char == "," and depth == 0
    return commas > 0
