"""How often a draft token is really accepted, learnt from what became of the drafts so far.

An edge's weight says how much the continuations agree, not how often they are right: a suffix of one token has a
"consensus" too. Tokens whose evidence looked alike (length of the agreement, share of the votes) share a count.
"""

from __future__ import annotations

from ssr.consensus.dag import Edge

#: Evidence of one kind: the length of the agreement and the fifth that the weight is in.
Kind = tuple[int, int]

_LONGEST = 10  #: tokens; beyond it more agreement says little more
_PRIOR_TOKENS = 8.0  #: that the first guess weighs
_PRIOR_TRUST = 0.8  #: of a weight, before anything is known
_ENOUGH = 4096.0  #: tokens of a kind after which older ones fade


class AcceptanceCalibration:
    """Counts of accepted tokens by kind of evidence. They show nothing of whose tokens they were."""

    def __init__(self) -> None:
        self._counts: dict[Kind, tuple[float, float]] = {}

    def probability(self, edge: Edge) -> tuple[float, Kind]:
        """The estimate that `edge` is what the model will write, given that all before it was; and its kind."""
        kind = min(edge.agreed, _LONGEST), min(int(edge.weight * 5), 4)
        accepted, seen = self._counts.get(kind, (0.0, 0.0))
        return (accepted + _PRIOR_TOKENS * _PRIOR_TRUST * edge.weight) / (seen + _PRIOR_TOKENS), kind

    def learn(self, kind: Kind, accepted: bool) -> None:
        """A draft token of this kind was reached, and accepted or not."""
        good, seen = self._counts.get(kind, (0.0, 0.0))
        if seen >= _ENOUGH:
            good, seen = good / 2, seen / 2
        self._counts[kind] = good + accepted, seen + 1
