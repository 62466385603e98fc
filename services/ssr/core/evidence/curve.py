"""A scorer's scores as probabilities: how often a path ends right whose step got this score.

Scorers do not mean the same by a score. Behind their curves they do: a threshold of 7 is then "right with 7 parts of
9", whoever judges. `ssr bench calibrate` fits the curves.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from ssr.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Straight lines between `knots`: (score 0..9, probability) pairs that rise in both; level beyond the ends."""

    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Raises: InvalidRequest."""
        if not self.knots:
            raise InvalidRequest("isotonic", "has no knots")
        for score, chance in self.knots:
            if not (math.isfinite(score) and 0 <= chance <= 1):
                raise InvalidRequest("isotonic", f"[{score:g}, {chance:g}] is no score and probability")
        for (low, below), (high, above) in pairwise(self.knots):
            if not (low < high and below <= above):
                raise InvalidRequest("isotonic", f"does not rise from [{low:g}, {below:g}] to [{high:g}, {above:g}]")

    def chance(self, score: float) -> float:
        """The probability, 0..1."""
        place = bisect_left(self.knots, score, key=lambda knot: knot[0])
        if place in (0, len(self.knots)):
            return self.knots[min(place, len(self.knots) - 1)][1]
        (low, below), (high, above) = self.knots[place - 1 : place + 1]
        return below + (above - below) * (score - low) / (high - low)


@dataclass(frozen=True, slots=True)
class Logistic:
    """sigmoid(intercept + slope * score); the slope is not negative."""

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        """Raises: InvalidRequest."""
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope >= 0):
            raise InvalidRequest("logistic", f"needs finite numbers and no falling slope; got {self}")

    def chance(self, score: float) -> float:
        """The probability, 0..1."""
        return sigmoid(self.intercept + self.slope * score)


def sigmoid(value: float) -> float:
    """The probability of these log-odds."""
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


ScoreCurve = Isotonic | Logistic
