"""Scorers: how the target's view of a step becomes a score of 0..9."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ssr.core.acceptance import Candidates, ScorerName, expected_digit, greedy_digit, yes_score
from ssr.core.errors import InvalidRequest
from ssr.core.prompts import DIGIT_QUESTION, YES_NO_QUESTION


@dataclass(frozen=True, slots=True)
class Scorer:
    """What to ask about a step, the words the answer begins with, and how to read its first token."""

    question: str
    prefill: str
    read: Callable[[Candidates], float]


SCORERS: Mapping[ScorerName, Scorer] = {
    ScorerName.EXPECTED: Scorer(DIGIT_QUESTION, "Digit: ", expected_digit),
    ScorerName.GREEDY: Scorer(DIGIT_QUESTION, "Digit: ", greedy_digit),
    ScorerName.JUDGE: Scorer(YES_NO_QUESTION, "", yes_score),
}


def scorer_named(name: str) -> Scorer:
    """Raises: InvalidRequest naming the known scorers."""
    try:
        return SCORERS[ScorerName(name)]
    except ValueError:
        raise InvalidRequest("scorer", f"{name!r} is unknown; known are {', '.join(ScorerName)}") from None
