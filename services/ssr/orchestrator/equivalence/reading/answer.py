r"""Answers as forms: times, words, lists, sets, intervals, relations, matrices, quantities.

What is decided here:
- `1,000` is one thousand; `1, 000` and `(1,000)` are lists. `10\,000` and `10 000` are ten thousand.
- Letters alone, three or more, are words and not products of variables.
- `(3,4)` is a pair or an open interval, as the other answer has it; `[3,4]` is a closed interval.
- `1\pm\sqrt2` is two answers; `2:3` is a ratio, and `10:30` is a time unless the problem speaks of ratios.
- A named answer (`x=5`, `f(x)=2x`, "the area is 5") keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Literal

from ssr.orchestrator.equivalence.reading import choices, clock, phrases, words
from ssr.orchestrator.equivalence.reading.bases import number_in_base
from ssr.orchestrator.equivalence.reading.expression import Expression, number, signed
from ssr.orchestrator.equivalence.reading.forms import (
    Choice,
    Form,
    Interval,
    Items,
    Joined,
    Matrix,
    Named,
    Quantity,
    Ratio,
    Reals,
    Words,
)
from ssr.orchestrator.equivalence.reading.formula import expression
from ssr.orchestrator.equivalence.reading.quantity import measures, quantity, summed
from ssr.orchestrator.equivalence.reading.relation import relation
from ssr.orchestrator.equivalence.reading.separators import joining, joint, outside, says, separated
from ssr.orchestrator.equivalence.reading.spelling import plain
from ssr.orchestrator.equivalence.reading.tokens import (
    FormulaToken,
    NotRead,
    enclosed,
    source,
    split,
    tokens_of,
)

_GROUPS = re.compile(r"(?<![\d.,])(\d{1,3})((?: \d{3})+)(?![\d/]|\.\d{0,2}\w)")
_LETTERS = re.compile(r"(?=.*[^\W\d_]{3})[^\W\d_]++(?:[ '.,!-]+[^\W\d_]++)*+[.!]?")
_TO = re.compile(r"(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)")
_NAME_WORDS = 3
_PROSE = re.compile(r"[A-Za-z]{3,}")
_SAYS = re.compile(r"(?P<name>[A-Za-z][A-Za-z' ]*?)\s+(?:is|are|was|were|equals?|be)\s*:?\s+(?P<value>.*\d.*)")
_OF = re.compile(r"(?P<name>[A-Za-z][A-Za-z' ]{2,40}):\s*(?P<value>.+)")
_MATRIX = re.compile(r"\\begin\{(?P<kind>[pbBv]?(?:small)?matrix|array)\}(?:\{[^}]*\})?(?P<body>.*)\\end\{(?P=kind)\}")
_JOINS: dict[str, Literal["cup", "cap", "minus"]] = {r"\cup": "cup", r"\cap": "cap", r"\setminus": "minus"}
_NAMED_REALS = re.compile(r"\\mathbb\{([RZQNC])\}(\^\{?\d\}?)?")


def read(answer: str, *, ratios: bool = False) -> Form | None:
    """The form of an answer; None where it is in no notation that is read here. `ratios`: 10:30 is no time."""
    with suppress(NotRead, RecursionError):
        return _read(_GROUPS.sub(lambda run: run[0].replace(" ", ""), plain(answer)), ratios=ratios)
    return None


def _read(text: str, *, ratios: bool) -> Form:
    if not ratios:
        bare = words.rewritten(text) if text[:1].isalpha() or text[:1] == "⟦" else text
        if time := clock.time_of(bare) or clock.time_of(text):
            return time
    if date := clock.date_of(text):
        return date
    unwrapped = " ".join(text.replace("⟦", " ").replace("⟧", " ").split())
    if label := choices.is_label(text) if len(unwrapped) > 1 else None:
        return Choice(label)
    if special := _special(unwrapped):
        return special
    if match := _TO.fullmatch(unwrapped):
        return Ratio((_one_number(match[1]), _one_number(match[2])))
    if based := number_in_base(unwrapped) or (number_in_base(re.sub("[⟦⟧ ]", "", text)) if "⟦" in text else None):
        return based
    if wordy := _wordy(words.rewritten(unwrapped)):
        return wordy
    try:
        return _several(_tokens(text if "\\" in text and "⟦" not in text else _in_words(text)))
    except NotRead:
        return _said(text, unwrapped)


def _one_number(digits: str) -> Expression:
    return number(Fraction(digits))


def _in_words(text: str) -> str:
    """Words of the answer as notation; those in blocks too, as long as they are numbers and operations."""
    if "⟦" not in text:
        return words.rewritten(text)
    opened = re.sub(r"⟦([^⟧]*)⟧", lambda block: _opened(block[1]), text)
    return opened if "⟦" in opened or "\\" in opened else words.rewritten(opened)


def _opened(block: str) -> str:
    new = words.rewritten(block)
    return new if new.strip() != block.strip() and not _PROSE.search(new) else f"⟦{block}⟧"


def _tokens(text: str) -> list[FormulaToken]:
    if not text:
        raise NotRead("nothing")
    return tokens_of(text)


def _special(text: str) -> Form | None:
    """Words, and the names of sets."""
    if text in ("", r"\emptyset", r"\{\}", r"\{ \}", "{}"):
        return Items("set", ()) if text else Words("")
    if match := _NAMED_REALS.fullmatch(text.replace(" ", "")):
        return Reals(match[1] + (match[2] or "").strip("^{}"))
    if (named := phrases.set_of(text)) and named != text:
        return _special(named) or _several(_tokens(named))
    if phrase := phrases.phrase_of(text):
        return Words(phrase)
    lower = phrases.words_of(text)
    if lower in ("no", "yes", "none"):
        return Words(lower)
    if (value := words.ordinal(text.removeprefix("the "))) is not None:
        return Words(f"number {value}")
    return None


def _wordy(text: str) -> Form | None:
    """Letters alone as words, or as a list of them; None for a few letters, which may be variables."""
    plain_words = [word for word in re.findall(r"[^\W\d_]+", text) if word.lower() not in ("and", "or")]
    if not _LETTERS.fullmatch(text) or not any(len(word) > 2 and word.lower() != "infinity" for word in plain_words):
        return None
    parts = [part for part in re.split(r"\s*(?:,\s*and\s|,\s*or\s|,|\band\b|\bor\b)\s*", text) if part.strip()]
    if len(parts) > 1 and all(len(part.split()) <= _NAME_WORDS for part in parts):
        return Items(
            "list",
            tuple(Words(phrases.words_of(part)) for part in parts),
            joining(re.findall(r"\b(?:and|or)\b", text)),
        )
    return Words(phrases.words_of(text))


def _said(text: str, unwrapped: str) -> Form:
    """A sentence: what it says of its subject, or its words."""
    for pattern in (_SAYS, _OF):
        if match := pattern.fullmatch(unwrapped):
            return Named(phrases.words_of(match["name"]), _several(_tokens(words.rewritten(match["value"]))))
    if _PROSE.search(unwrapped) and "\\" not in unwrapped:
        return Words(phrases.words_of(unwrapped))
    raise NotRead(text)


def _several(tokens: Sequence[FormulaToken]) -> Form:
    """One answer, or a list of them."""
    if len(tokens) > 1 and all(
        token.kind == "num" and (token.spaced or not place) for place, token in enumerate(tokens)
    ):
        return Items("list", tuple(_one([token]) for token in tokens))
    parts = [part for part in split(separated(tokens), ";") if part]
    if len(parts) < 2:
        return _one(list(tokens))
    forms = [_one(part) for part in parts]
    total = summed(forms) if any(says(token, "and") or token.among(",") for token in tokens) else None
    return total or _gathered(forms, joining([word for token in outside(tokens) if (word := joint(token))]))


def _gathered(forms: list[Form], joined: Literal["", "and", "or"] = "") -> Form:
    """A list; of `x=2` and `3`, or of `x=2` and `x=3`, it is a list that x stands for."""
    flat: list[Form] = []
    for form in forms:
        flat.extend(form.parts if isinstance(form, Items) and form.kind == "list" else [form])
    first = flat[0]
    if isinstance(first, Named) and ("," not in first.name or _is_of_tuples(flat)):
        name = first.name
        rest = [form.form if isinstance(form, Named) and form.name == name else form for form in flat]
        if not any(isinstance(form, Named) for form in rest):
            return Named(name, Items("list", tuple(rest), joined))
    return Items("list", tuple(flat), joined)


def _is_of_tuples(forms: Sequence[Form]) -> bool:
    """(x,y) = (1,2), (3,4)."""
    inner = [form.form if isinstance(form, Named) else form for form in forms]
    return len(forms) > 1 and all(isinstance(form, Items) and form.kind == "tuple" for form in inner)


def _one(tokens: list[FormulaToken]) -> Form:
    """One answer without commas outside brackets."""
    if related := relation(tokens, _several):
        return related
    if bracketed := _bracketed(tokens):
        return bracketed
    if joined := _joined(tokens):
        return joined
    if len(tokens) == 1 or (tokens and tokens[0].among(r"\mathbb")):  # behind x =, x \in
        named = _special(source(tokens))
        if isinstance(named, Reals | Items):
            return named
    if any(token.text == r"\begin" for token in tokens):
        while tokens[0].among("(", "[") and enclosed(tokens):
            tokens = tokens[1:-1]
        return _matrix(source(tokens))
    ratio = split(tokens, ":")
    if len(ratio) > 1:
        return Ratio(tuple(map(expression, ratio)))
    if total := measures(tokens):
        return total
    found = quantity(tokens)
    return _both_signs(found) if found.formula.has("pm") else found


def _both_signs(found: Quantity) -> Form:
    forms = (Quantity(signed(found.formula, sign), found.unit) for sign in (1, -1))
    return Items("list", tuple(forms))


def _joined(tokens: list[FormulaToken]) -> Form | None:
    for command, op in _JOINS.items():
        parts = split(tokens, command)
        if len(parts) > 1:
            return Joined(op, tuple(map(_set, parts)))
    minus = split(tokens, "\\\\", r"\backslash", "-")
    if len(minus) == 2 and source(minus[0]).startswith(r"\mathbb"):
        return Joined("minus", tuple(map(_set, minus)))
    return None


def _set(tokens: list[FormulaToken]) -> Form:
    while enclosed(tokens) and tokens[0].among("(") and not len(split(tokens[1:-1], ",")) > 1:
        tokens = tokens[1:-1]
    text = source(tokens)
    return _special(text) or _one(tokens)


def _bracketed(tokens: list[FormulaToken]) -> Form | None:
    """Sets, pairs and closed or half open intervals."""
    if len(tokens) < 3 or not _wholly(tokens):
        return None
    opening, closing, inner = tokens[0].text, tokens[-1].text, tokens[1:-1]
    parts = split(inner, ",", ";") if inner else []
    if opening == r"\{" and closing == r"\}":
        return _set_of(inner, parts)
    nested = len(parts) > 1 and all(part and part[0].among("(", "[") and _wholly(part) for part in parts)
    if len(parts) == 2 and not nested and (opening == "[" or closing == "]") and opening in "([" and closing in ")]":
        low, high = (expression(part) for part in parts)
        return Interval(low, high, opening == "[", closing == "]")
    if opening == "{" and any(len(split(inner, bar)) == 2 for bar in ("|", r"\mid")):
        return _set_of(inner, parts)
    if len(parts) > 1 and opening in ("(", "[", r"\langle", "{"):
        kind: Literal["tuple", "set"] = "set" if opening == "{" else "tuple"
        return Items(kind, tuple(_one(part) for part in parts))
    return None


def _set_of(inner: list[FormulaToken], parts: list[list[FormulaToken]]) -> Form:
    for bar in ("|", r"\mid", ":"):
        built = split(inner, bar)
        if len(built) == 2:
            return _built(*built)
    if any(token.among(r"\ldots") for token in inner):
        raise NotRead("a set that goes on")
    forms: list[Form] = []
    for part in parts:
        form = _one(part)
        forms.extend(form.parts if isinstance(form, Items) and form.kind == "list" else [form])
    return Items("set", tuple(forms))


def _built(left: list[FormulaToken], condition: list[FormulaToken]) -> Form:
    r"""`\{x \in \mathbb{R} | x < 3\}` is x < 3, and `\{2n : n \in \mathbb{Z}\}` is 2n."""
    member = split(left, r"\in")
    if len(member[0]) == 1 and member[0][0].kind == "name":
        if len(member) == 2 and source(member[1]).replace(" ", "") not in (r"\mathbb{R}", "R"):
            raise NotRead("a set of some numbers alone")
        return _several(condition)
    if re.fullmatch(r"[klmn] ?\\in ?\\mathbb ?\{[ZN]\}", source(condition)):
        return _one(left)
    raise NotRead("a set whose members are computed")


def _wholly(tokens: list[FormulaToken]) -> bool:
    """Whether one pair of brackets, the same or of a half open interval, holds everything."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.among("(", "[", r"\{", "{", r"\langle") - token.among(")", "]", r"\}", "}", r"\rangle")
        if depth <= 0:
            return depth == 0 and index == len(tokens) - 1
    return False


def _matrix(text: str) -> Form:
    match = _MATRIX.fullmatch(text)
    if match is None or match["kind"].startswith("v"):
        raise NotRead("a determinant, or no matrix alone")
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match["body"]) if row.strip(" ")]
    cells = tuple(tuple(_one(_tokens(cell.strip())) for cell in row.split("&")) for row in rows)
    return Matrix(cells)
