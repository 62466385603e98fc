"""How the winner is found among the answers: by number, by evidence, by weights of scores, or by the best path alone.

| rule | the winner |
|---|---|
| majority | most paths |
| plurality | more paths than any other, two at least; else the path with the highest mean score (paper section 3.3) |
| evidence | the highest estimate of the stop rule's settings |
| weighted-mean, -min, -last, -product | the largest sum of its paths' scores |
| best-mean, -min, -last, -product | the answer of the path with the highest score (Best-of-N) |

A path's score is made of its steps' scores, as parts of 9: their mean, least, last or product. A path that nobody
scored counts 1 in a weighted vote, so that it is a plain one, and 0 as the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ssr.core.errors import InvalidRequest
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.core.types import MAX_SCORE

#: Ways to make one score, 0..1, of a path's steps.
AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda scores: math.fsum(scores) / len(scores),
    "min": min,
    "last": lambda scores: scores[-1],
    "product": math.prod,
}
MAJORITY, PLURALITY, EVIDENCE = "majority", "plurality", "evidence"
VOTE_RULES = (
    MAJORITY,
    PLURALITY,
    EVIDENCE,
    *(f"{kind}-{name}" for kind in ("weighted", "best") for name in AGGREGATES),
)


@dataclass(frozen=True, slots=True)
class VoteRule:
    """A rule by its name."""

    name: str

    @classmethod
    def named(cls, name: str) -> VoteRule:
        """Raises: InvalidRequest naming the known rules."""
        kind, _, aggregate = name.partition("-")
        installed = kind in ("weighted", "best") and aggregate in found_methods(MethodKind.AGGREGATE)
        if name not in VOTE_RULES and not installed:
            raise InvalidRequest("vote", f"{name!r:.80} is unknown; known are {', '.join(VOTE_RULES)}")
        return cls(name)

    def weight(self, scores: Sequence[Sequence[float]]) -> float | None:
        """An answer's weight, from the step scores (0..9) of its paths; None where the rule does not weigh."""
        kind, _, aggregate = self.name.partition("-")
        if not aggregate:
            return None
        make = AGGREGATES.get(aggregate) or method_named(MethodKind.AGGREGATE, aggregate)
        values = [make([score / MAX_SCORE for score in path]) if path else None for path in scores]
        if kind == "best":
            return max((value or 0.0 for value in values), default=0.0)
        return math.fsum(1.0 if value is None else value for value in values)
