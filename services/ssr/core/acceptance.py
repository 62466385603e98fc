"""From the target's probabilities to a score of 0..9, and from a score to accept or rewrite.

The paper's score (section 3.2) is `greedy_digit` of the question about validity; accepting is `accepts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from ssr.core.errors import InvalidRequest, echoed
from ssr.core.methods import MethodKind, found_methods
from ssr.core.types import MAX_SCORE

#: (token text, natural log-probability), most probable first
Candidates = Sequence[tuple[str, float]]

#: What the questions are answered with.
DIGITS = tuple(map(str, range(10)))
YES_NO = ("Yes", "No")

_DIGITS = {str(digit): digit for digit in range(10)}
#: Digits that together have less probability than this are noise, not an answer.
_MIN_MASS = 0.01


class ScorerName(StrEnum):
    """How a step gets its score. The names with a "+" ask one part first: see `ARITHMETIC`, `AGREEMENT`."""

    EXPECTED = "expected"  #: probability-weighted mean of the digits 0-9
    GREEDY = "greedy"  #: the most probable token, if it is a digit: how right and useful the step is
    JUDGE = "judge"  #: 9 x P(Yes) of a Yes/No question
    VALIDITY = "validity"  #: as greedy, of facts and logic alone: what the paper asks (section 3.2)
    LIKELIHOOD = "likelihood"  #: 9 x the geometric mean of the step's token probabilities under the target
    ARITHMETIC = "arithmetic"  #: a false equation rejects the step; any other step stands
    REWARD = "reward"  #: 9 x the probability that a process reward model gives the step
    #: Siblings that reach the same results accept it; where they do not decide, the verifier's own scorer is asked.
    AGREEMENT = "agreement"
    NONE = "none"  #: every step stands, and nobody is asked: what verification is compared with
    ARITHMETIC_EXPECTED = "arithmetic+expected"
    ARITHMETIC_GREEDY = "arithmetic+greedy"
    ARITHMETIC_VALIDITY = "arithmetic+validity"
    ARITHMETIC_JUDGE = "arithmetic+judge"
    ARITHMETIC_LIKELIHOOD = "arithmetic+likelihood"
    ARITHMETIC_REWARD = "arithmetic+reward"
    AGREEMENT_EXPECTED = "agreement+expected"
    AGREEMENT_JUDGE = "agreement+judge"
    AGREEMENT_REWARD = "agreement+reward"
    AGREEMENT_NONE = "agreement+none"

    @property
    def parts(self) -> tuple[ScorerName, ...]:
        """What it combines, in the order in which they are asked."""
        return tuple(ScorerName(part) for part in self.split("+"))

    @classmethod
    def named(cls, name: str, field: str = "scorer") -> ScorerName:
        """Raises: InvalidRequest naming `field` and the known scorers."""
        try:
            return cls(name)
        except ValueError:
            raise InvalidRequest(field, f"{echoed(name)} is unknown; known are {', '.join(cls)}") from None


def without_agreement(name: str) -> str:
    """What is left to ask the verifier for; "" is its own default."""
    return "" if name == ScorerName.AGREEMENT else name.removeprefix(f"{ScorerName.AGREEMENT}+")


def check_scorer(name: str, field: str = "scorer") -> None:
    """Raises: InvalidRequest for a name that is neither ours nor that of an installed method."""
    if name not in found_methods(MethodKind.SCORER):
        ScorerName.named(name, field)


def expected_digit(candidates: Candidates) -> float:
    """The mean digit, weighted by probability; 0 when the reply has no digit."""
    weights = [
        (digit, math.exp(logprob)) for text, logprob in candidates if (digit := _DIGITS.get(text.strip())) is not None
    ]
    mass = sum(weight for _, weight in weights)
    return sum(digit * weight for digit, weight in weights) / mass if mass >= _MIN_MASS else 0.0


def greedy_digit(candidates: Candidates) -> float:
    """The most probable token as a digit; 0 when it is none."""
    return float(_DIGITS.get(candidates[0][0].strip(), 0)) if candidates else 0.0


def yes_score(candidates: Candidates) -> float:
    """9 x P(Yes) / (P(Yes) + P(No)); 0 when the reply has neither."""
    yes = sum(math.exp(logprob) for text, logprob in candidates if text.strip().lower() == "yes")
    no = sum(math.exp(logprob) for text, logprob in candidates if text.strip().lower() == "no")
    return MAX_SCORE * yes / (yes + no) if yes + no >= _MIN_MASS else 0.0


def likelihood_score(logprobs: Sequence[float]) -> float:
    """9 x the geometric mean of the tokens' probabilities, so that a step's length does not matter; 0 without any."""
    return MAX_SCORE * math.exp(math.fsum(logprobs) / len(logprobs)) if logprobs else 0.0


def accepts(score: float, threshold: float) -> bool:
    """A draft scored at or above the threshold stands."""
    return score >= threshold
