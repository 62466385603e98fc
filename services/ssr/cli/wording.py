"""Small texts of the displays: one line of a step, numbers with a unit."""

from __future__ import annotations

import re

from ssr.core.types import Source, Step

#: What a step shows of its text on one line, in characters.
STEP_TEXT_CHARS = 90

#: A terminal's control sequences (ECMA-48).
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PREFIXES = ("", "K", "M", "G", "T", "P", "E")


def printable(text: str) -> str:
    """`text` without what a terminal would obey: control characters become blanks, line ends stay."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in _ESCAPES.sub("", text))


def one_line(text: str, limit: int = STEP_TEXT_CHARS) -> str:
    """The beginning of a text in one line of at most `limit` characters."""
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def score_text(score: float | None) -> str:
    """A score of 0..9, or a dash for none."""
    return "–" if score is None else f"{score:.1f}"


def flops_text(flops: float) -> str:
    """Floating-point operations with three digits and a prefix ("1.23 TFLOP"); a dash where they are unknown."""
    if not flops:
        return "–"
    power = 0
    while flops >= 999.5 and power < len(_PREFIXES) - 1:
        flops, power = flops / 1000, power + 1
    return f"{flops:.3g} {_PREFIXES[power]}FLOP"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def origin(step: Step) -> str:
    """Who wrote a step, and what the target thought of the draft."""
    match step.source:
        case Source.DRAFT if step.score is None:
            return "draft"
        case Source.DRAFT:
            return f"draft accepted with {score_text(step.score)}"
        case Source.REWRITTEN:
            return f"rewritten, the draft had {score_text(step.draft_score)}"
        case Source.SHARED:
            return "shared by drafts"
    return "target"
