r"""Final answers: finding the `\boxed{...}` in a path's text, and grouping equal ones.

A `<think>` model's box after `</think>` needs no special care: it comes later, and the last box wins.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Possessive quantifiers keep the scan linear: a run of backslashes or blanks is read once and never given back.
# A run of any length before the word counts, because models also write the doubled backslash of a quoted string.
_TOKEN = re.compile(r"(?P<slashes>\\++)(?P<box>(?:boxed|fbox)(?![A-Za-z])\s*+)?|(?P<brace>[{}])")
# What `\boxed 5` or `\boxed \frac{1}{2}` encloses: up to a blank, a dollar or `\)`; not a word of a sentence.
_UNBRACED = re.compile(
    r"(?!\\+(?:boxed|fbox)|[A-Za-z]{2})(?:(?!\\[)\]])[^\s${}]|\{(?:[^{}\s]|\{[^{}\s]*+\})*+\})++(?!\{)"
)
_UNBRACED_LIMIT = 200
#: The end of a text that was cut in the word, behind it, or in what it encloses without braces.
_BOX_BEGUN = re.compile(r"\\(?:b|bo|box|boxe|f|fb|fbo|(?:boxed|fbox)(?![A-Za-z])\s*(?:[^\s${}A-Za-z][^\s${}]*)?)?\Z")
_EDGES = string.whitespace + "$"


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks whether answers are equal, and of what.

    `job_id`: the questions of many jobs are served fairly, job by job. `problem`: what it offers and asks for says how
    an answer is meant (C is a choice, a percentage, a ratio); "" where it is not known.
    """

    job_id: str = ""
    problem: str = ""


ANYBODY = Asked()


class Equivalence(Protocol):
    """Decides whether two final answers are the same mathematics."""

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        """Whether `a` and `b` name the same thing. Symmetric, and true for equal texts; not always transitive."""
        ...


def boxed(text: str) -> str | None:
    r"""The content of the last complete box of `text`; None when there is none.

    Boxes are `\boxed{...}`, `\fbox{...}` with balanced braces, and `\boxed 5`. A box whose brace never closes and a
    box with nothing in it do not count. Of nested boxes the inner one is taken. Blanks and `$` around the content are
    removed. Linear in the length of `text`.
    """
    if "box" not in text:  # nearly every step
        return None
    for start, end in sorted(_boxes(text), reverse=True):
        content = _trimmed(text[start:end])
        if content:
            return content
    return None


def ends_in_box(text: str) -> bool:
    r"""Whether a text that was cut short ends in the middle of a box, or of the word for one.

    Linear in the length of `text`.
    """
    return _BOX_BEGUN.search(text, max(0, len(text) - _UNBRACED_LIMIT)) is not None or box_is_open(text)


def box_is_open(text: str) -> bool:
    """Whether the text ends inside the braces of a box. Linear in the length of `text`."""
    return "box" in text and _scanned(text)[1]


async def classes(answers: Sequence[str | None], equivalence: Equivalence, asked: Asked = ANYBODY) -> list[list[int]]:
    """Group the indices of equal answers; groups and their members are in order of first appearance.

    An answer joins the first group whose every text it is equal to: where the relation is not transitive (5 equals
    both 5 hours and 5 minutes), it cannot chain different answers together. Equal texts are one and not compared. None
    (a path without an answer) is in no group.
    """
    groups: list[tuple[list[str], list[int]]] = []
    of_text: dict[str, list[int]] = {}
    for index, answer in enumerate(answers):
        if answer is None:
            continue
        if answer in of_text:
            of_text[answer].append(index)
            continue
        for texts, members in groups:
            if await _same_as_all(answer, texts, equivalence, asked):
                texts.append(answer)
                members.append(index)
                break
        else:
            members = [index]
            groups.append(([answer], members))
        of_text[answer] = members
    return [members for _, members in groups]


async def _same_as_all(answer: str, texts: Sequence[str], equivalence: Equivalence, asked: Asked) -> bool:
    for text in texts:
        if not await equivalence.same(text, answer, asked):
            return False
    return True


def _boxes(text: str) -> list[tuple[int, int]]:
    """Start and end of the content of every complete box."""
    return _scanned(text)[0]


def _scanned(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Start and end of the content of every complete box, and whether one is open at the end."""
    found: list[tuple[int, int]] = []
    open_braces: list[int | None] = []  # where a box's content begins; None for any other brace
    box_brace = escaped_at = -1
    for token in _TOKEN.finditer(text):
        here = token.start()
        if token["slashes"] is not None:
            if token["box"] is None:
                escaped_at = token.end() if len(token["slashes"]) % 2 else -1
            elif text.startswith("{", token.end()):
                box_brace = token.end()
            else:
                found.extend(_unbraced(text, token.end()))
        elif here == escaped_at:
            continue
        elif token["brace"] == "{":
            open_braces.append(here + 1 if here == box_brace else None)
        elif open_braces and (start := open_braces.pop()) is not None:
            found.append((start, here))
    return found, any(start is not None for start in open_braces)


def _unbraced(text: str, start: int) -> list[tuple[int, int]]:
    r"""The content of `\boxed 5`, or nothing where a sentence merely speaks of \boxed notation."""
    match = _UNBRACED.match(text, start, start + _UNBRACED_LIMIT)
    content = match[0].rstrip(".,;:*") if match else ""
    return [(start, start + len(content))] if any(map(str.isalnum, content)) else []


def _trimmed(content: str) -> str:
    r"""`content` without blanks and dollar delimiters around it; an escaped `\$` stays whole."""
    left = content.lstrip(_EDGES)
    bare = left.rstrip(_EDGES)
    return f"{bare}$" if bare.endswith("\\") and left.startswith("$", len(bare)) else bare
