"""Reasoning steps: where one ends, how it is stored, and when a path goes round in circles."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What ends a step (Source: SSD's stop text in the authors' code).
BOUNDARY = "\n\n"

#: Steps with fewer characters, blanks not counted, legitimately recur ("So", "\\]", "where").
MIN_DISTINCTIVE_CHARS = 12

#: How often in a row a short step may appear before it counts as repeated.
SHORT_STEP_RUN = 3

_BLANK_FIRST_LINES = re.compile(r"(?:[^\S\n]*+\n)++")


def normalise_step(text: str) -> str:
    """A generated step as it is stored: no blank lines before it and no blanks after it.

    The first line's indentation stays, it may be code's. The empty string means that nothing was written.
    """
    stripped = text.rstrip()
    blank = _BLANK_FIRST_LINES.match(stripped)
    return stripped[blank.end() :] if blank else stripped


def split_steps(text: str) -> list[str]:
    """The normalised, non-empty steps of a whole text.

    Joining them with `BOUNDARY` and splitting again gives the same steps.
    """
    return [step for part in text.split(BOUNDARY) if (step := normalise_step(part))]


def join_path(steps: Sequence[str]) -> str:
    """The assistant's turn so far: every step followed by `BOUNDARY`, so that the next one starts cleanly."""
    return "".join(step + BOUNDARY for step in steps)


def is_repeated(step: str, earlier: Sequence[str]) -> bool:
    """Whether `step` says again what one of the `earlier` steps said, up to blanks and case.

    A step shorter than `MIN_DISTINCTIVE_CHARS` only counts when it ends a run of `SHORT_STEP_RUN` equal ones.
    (Source: SSR ends a path at a repeated step.)
    """
    key = _key(step)
    if len(key) >= MIN_DISTINCTIVE_CHARS:
        return any(_key(other) == key for other in earlier)
    run = earlier[-(SHORT_STEP_RUN - 1) :]
    return len(run) == SHORT_STEP_RUN - 1 and all(_key(other) == key for other in run)


def _key(step: str) -> str:
    return "".join(step.split()).casefold()
