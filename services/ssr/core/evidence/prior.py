"""What is known of a pair of models before a problem is seen: how often each author is right, and how mistakes fall.

A problem has an ease; an author is right with probability sigmoid(mean + spread * ease). The draft's ease and the
target's are standard normal and correlated, so that one author's agreement says something of the other's. A verified
path shares the target's ease. Wrong answers fall as customers on the tables of a restaurant with a concentration: the
lower, the more often they agree (traps); a problem's concentration is one of a few.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.curve import sigmoid

#: A finer ratio says no more, and coarse ones let like polls share their posterior.
RATIO_STEP = 0.25
LENGTH_STEP = 0.5
#: The most that log probabilities may say, either way.
MOST_FLUENT = 1.5


class PathAuthor(StrEnum):
    """Who wrote a path."""

    DRAFT = "draft"  #: the draft model alone
    VERIFIED = "verified"  #: the draft model, verified and mended by the target
    TARGET = "target"  #: the target alone


@dataclass(frozen=True, slots=True)
class Skill:
    """How often an author is right: the log-odds at a problem of mean ease, and their standard deviation."""

    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Sign:
    """What a yes-or-no observation of a path says: log(P(seen | right) / P(seen | wrong)), and of its absence."""

    seen: float
    unseen: float


@dataclass(frozen=True, slots=True)
class Fluency:
    """What the mean log probability of a path's tokens says: `slope` for each nat above `mean`, as a log ratio."""

    mean: float
    slope: float


@dataclass(frozen=True, slots=True)
class Length:
    """What the length of a problem's paths says of its ease.

    `mean` and `spread` are those of the paths' mean log of tokens over problems; `correlation` with the ease, 0..1: of
    longer paths, with less of it.
    """

    mean: float = 5.32
    spread: float = 0.53
    correlation: float = 0.4

    def strangeness(self, tokens: Sequence[int]) -> float:
        """How much longer than usual paths are, in standard deviations, in steps of `LENGTH_STEP` within 1.5."""
        logs = [math.log(count) for count in tokens if count > 0]
        if not logs or not self.correlation:
            return 0.0
        score = (math.fsum(logs) / len(logs) - self.mean) / self.spread
        return max(-1.5, min(1.5, round(score / LENGTH_STEP) * LENGTH_STEP))


@dataclass(frozen=True, slots=True)
class Prior:
    """See the module. `wrong`: (weight, concentration) pairs, the weights sum to 1; `false_sum`: see `core.arithmetic`;
    `fluency`: of authors whose engines report log probabilities; `length`: of paths, in tokens.

    The defaults are fitted to recorded samples of one pair (0.5B and 1.5B) on school and competition mathematics.
    """

    skills: Mapping[PathAuthor, Skill] = field(
        default_factory=lambda: {
            PathAuthor.DRAFT: Skill(-0.56, 2.25),
            PathAuthor.VERIFIED: Skill(0.72, 2.5),
            PathAuthor.TARGET: Skill(2.0, 2.74),
        }
    )
    correlation: float = 0.88
    wrong: tuple[tuple[float, float], ...] = ((0.15, 1.0), (0.3, 4.0), (0.55, 24.0))
    false_sum: Sign = Sign(-3.5, 0.2)
    fluency: Mapping[PathAuthor, Fluency] = field(
        default_factory=lambda: {PathAuthor.DRAFT: Fluency(-0.16, 4.0), PathAuthor.TARGET: Fluency(-0.125, 8.0)}
    )

    length: Length = Length()

    def ratio(self, author: PathAuthor, *, false_sum: bool, logprob: float | None = None) -> float:
        """What a path shows beside its answer: log(P(shown | right) / P(shown | wrong)), in steps of `RATIO_STEP`.

        `logprob`: the mean log probability of its tokens, None where it is not known.
        """
        ratio = self.false_sum.seen if false_sum else self.false_sum.unseen
        fluency = self.fluency.get(author)
        if fluency is not None and logprob is not None:
            ratio += max(-MOST_FLUENT, min(MOST_FLUENT, fluency.slope * (logprob - fluency.mean)))
        return round(ratio / RATIO_STEP) * RATIO_STEP

    def __post_init__(self) -> None:
        """Raises: InvalidRequest naming the field."""
        for author, skill in self.skills.items():
            _check(f"skills.{author}.mean", skill.mean, -20, 20)
            _check(f"skills.{author}.spread", skill.spread, 0, 20)
        _check("correlation", self.correlation, 0, 1)
        for weight, concentration in self.wrong:
            _check("wrong", weight, 0, 1)
            _check("wrong", concentration, 1e-3, 1e6)
        if not self.wrong or abs(sum(weight for weight, _ in self.wrong) - 1) > 1e-3:
            raise InvalidRequest("wrong", f"weights must sum to 1; got {[weight for weight, _ in self.wrong]}")
        for author, fluency in self.fluency.items():
            _check(f"fluency.{author}.mean", fluency.mean, -20, 0)
            _check(f"fluency.{author}.slope", fluency.slope, 0, 100)
        _check("length.mean", self.length.mean, 0, 20)
        _check("length.spread", self.length.spread, 0.01, 20)
        _check("length.correlation", self.length.correlation, 0, 0.9)
        _check("false_sum", self.false_sum.seen, -20, 20)
        _check("false_sum", self.false_sum.unseen, -20, 20)

    def nodes(self, strangeness: float = 0.0) -> tuple[tuple[float, dict[PathAuthor, float]], ...]:
        """The eases as a quadrature: (weight, chance of each author to be right) pairs.

        `strangeness`: how much longer than usual the problem's paths are (`Length.strangeness`).
        """
        rest = math.sqrt(max(0.0, 1 - self.correlation**2))
        shift = -self.length.correlation * strangeness
        known = math.sqrt(max(0.0, 1 - self.length.correlation**2))
        found = []
        for node, weight in _EASES:
            x = shift + known * node
            for y, more in _EASES if rest > 1e-6 else ((0.0, 1.0),):
                other = self.correlation * x + rest * y
                eases = {PathAuthor.DRAFT: x, PathAuthor.VERIFIED: other, PathAuthor.TARGET: other}
                chances = {a: sigmoid(s.mean + s.spread * eases[a]) for a, s in self.skills.items()}
                found.append((weight * more, chances))
        return tuple(found)


#: Gauss-Hermite quadrature of the standard normal distribution, 7 nodes.
_EASES = (
    (-3.750439717725742, 0.0005482688559722182),
    (-2.366759410734541, 0.03075712396758651),
    (-1.154405394739968, 0.2401231786050127),
    (0.0, 0.4571428571428571),
    (1.154405394739968, 0.2401231786050127),
    (2.366759410734541, 0.03075712396758651),
    (3.750439717725742, 0.0005482688559722182),
)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequest(name, f"must be within {low:g}..{high:g}; got {value:g}")
