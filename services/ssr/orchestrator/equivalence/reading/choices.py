"""The choices that a problem offers, and the one that an answer names."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARK = re.compile(
    r"(?:(?<=[\s$({,;.?!:}\]])|^)(?:\\(?:textbf|text|mathrm|mathbf|textrm)\s?\{\s?)?"
    r"(?:\((?P<round>[A-Z])\)|(?P<bare>[A-Z])[).:])(?:\s?\})?"
)
_LABEL = re.compile(
    r"(?:(?i:(?:the\s)?(?:correct\s)?(?:answer|choice|option))\s(?:is\s)?)?(?P<open>[(\[])?\s?(?P<label>[A-Z])\s?(?P<close>[)\]])?"
    r"(?P<sep>[.:,]?)(?P<rest>\s.*|$|[^A-Za-z0-9\s(^_'*/+=<>!-].*)?",
    re.DOTALL,
)
_WRAPPED = re.compile(r"[⟦⟧{}$]|\\(?:text|mathrm|mathbf|textbf|quad|,|;|\s)")
_SMALL = re.compile(r"\(?\s?([a-z])\s?\)?\.?")
_BEFORE = re.compile(
    r"[(\[]?\s?(?P<label>[A-Za-z])\s?[)\]]?(?:\s[-=]\s|\s?[,:.(]\s?|\s)(?P<text>[^()]+?|\(.*\))\)?", re.DOTALL
)
_BEHIND = re.compile(r"(?P<text>.+?)\s?[(\[]\s?(?:option |choice |answer )?(?P<label>[A-Z])\s?[)\]]", re.DOTALL)
_FEWEST = 2


def choices_of(problem: str) -> dict[str, str]:
    """Label and text of the choices that a problem ends with; empty where it offers none.

    They are labelled in a row from A: (A) 12 (B) 14, A. 12, `\\textbf{(A)}\\ 12`; the last row that there is counts.
    """
    marks = list(_MARK.finditer(problem))
    best: list[re.Match[str]] = []
    row: list[re.Match[str]] = []
    for mark in marks:
        label = mark["round"] or mark["bare"]
        if label == "A":
            row = [mark]
        elif row and ord(label) == ord(row[-1]["round"] or row[-1]["bare"]) + 1:
            row.append(mark)
        if len(row) >= _FEWEST:
            best = list(row)
    found: dict[str, str] = {}
    for place, mark in enumerate(best):
        end = best[place + 1].start() if place + 1 < len(best) else len(problem)
        found[mark["round"] or mark["bare"]] = _trimmed(problem[mark.end() : end])
    return found


def named(plain: str) -> tuple[str, str] | None:
    """The label at the beginning of a plain answer, and the text behind it; None where there is none.

    A bare letter and text need a sign between them: "C) 14", "C: 14", "(C) 14", but not "C + 1" or "C 14".
    """
    text = " ".join(_WRAPPED.sub(" ", plain).split())
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    rest = (match["rest"] or "").strip().strip(".:")
    if match["open"] and not match["close"]:
        return None
    if rest and not (match["close"] or match["sep"] in (".", ":")):
        return None
    return match["label"], rest.strip()


def is_label(plain: str) -> str | None:
    """C for "(C)", "C)", "C."; None for anything longer, and for the bare letter, which may be a variable."""
    label = named(plain)
    return label[0] if label and not label[1] else None


def labelled(choices: Mapping[str, str], plain: str) -> str | None:
    """The label of one of `choices` that an answer begins with, or is in lower case: "(b)", "b"."""
    if small := _SMALL.fullmatch(" ".join(_WRAPPED.sub(" ", plain).split())):
        upper = small[1].upper()
        return upper if upper in choices and small[1] not in choices.values() else None
    label = named(plain)
    return label[0] if label and label[0] in choices else None


def beside(plain: str) -> tuple[str, str] | None:
    """Label and text where an answer gives both in other ways: "C - 14", "C (14)", "14 (C)"; None where it does not."""
    text = " ".join(_WRAPPED.sub(" ", plain).split())
    if match := _BEFORE.fullmatch(text):
        return match["label"].upper(), match["text"]
    if match := _BEHIND.fullmatch(text):
        return match["label"].upper(), match["text"]
    return None


def _trimmed(text: str) -> str:
    cut = text.split("\n\n")[0].strip()
    return re.sub(
        r"(?:\s|\\q?quad|\\[ ,;\\]|\$|\\hspace\{[^}]*\}|,|;)+$", "", re.sub(r"^(?:\\[ ,;]|~|\s|\})+", "", cut)
    )
