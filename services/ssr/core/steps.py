"""Reasoning steps: how they are stored and joined, and when a path goes round in circles.

Where a step ends is `core.step_cutter`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

#: What ends a step (Source: SSD's stop text in the authors' code).
BOUNDARY = "\n\n"

#: Steps with fewer characters, blanks not counted, legitimately recur ("So", "\\]", "where").
MIN_DISTINCTIVE_CHARS = 12

#: How often in a row a short step may appear before it counts as repeated.
SHORT_STEP_RUN = 3

#: What stands for bytes that are no character; at a text's end for one whose last bytes are still to come.
HALF_CHARACTER = "\ufffd"


class RepeatRule(StrEnum):
    """Which repetition ends a path."""

    EARLIER = "earlier"  #: a step that says again what any earlier one said (`is_repeated`)
    CONSECUTIVE = (
        "consecutive"  #: a third or later step that is the one before it, letter by letter (the authors' rule)
    )


class CutText(str):
    """The text of a step that its token limit cut short: the next step goes on right behind its last character.

    It is the text itself, so whatever reads steps' texts reads it; only what joins steps asks for the difference.
    """

    __slots__ = ()


def join_path(steps: Sequence[str]) -> str:
    """The assistant's turn so far: every step followed by `BOUNDARY`, a cut one (`CutText`) by nothing."""
    return "".join(step if isinstance(step, CutText) else step + BOUNDARY for step in steps)


def open_text(steps: Sequence[str]) -> str:
    """What the next step goes on from, without a blank line between: the cut steps at the end, joined."""
    begin = len(steps)
    while begin and isinstance(steps[begin - 1], CutText):
        begin -= 1
    return "".join(steps[begin:])


def well_formed(text: str) -> str:
    """`text` as it can be stored and sent: halves of surrogate pairs are joined, and lone ones replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def step_key(step: str) -> str:
    """What two steps have in common that say the same, up to blanks and case."""
    return "".join(step.split()).casefold()


def is_repeated(step: str, earlier: Sequence[str]) -> bool:
    """Whether `step` says again what one of the `earlier` steps said, up to blanks and case.

    A step shorter than `MIN_DISTINCTIVE_CHARS` only counts when it ends a run of `SHORT_STEP_RUN` equal ones.
    `core.progress` finds out the same in constant time as a path grows. (The authors' rule is CONSECUTIVE.)
    """
    key = step_key(step)
    if len(key) >= MIN_DISTINCTIVE_CHARS:
        return any(step_key(other) == key for other in earlier)
    run = earlier[-(SHORT_STEP_RUN - 1) :]
    return len(run) == SHORT_STEP_RUN - 1 and all(step_key(other) == key for other in run)
