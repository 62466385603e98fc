"""How often a draft token is really accepted, learnt from what became of the drafts so far.

An edge's weight says how much the continuations agree, not how often they are right: a suffix of one token has a
"consensus" too. Tokens whose evidence looked alike share a count: by the length of the agreement, which grows with the
position in the draft, the share of the votes, and whose text speaks for the token. While such a count is young, it
leans on a coarser one of the first two alone, and that on the weight.
"""

from __future__ import annotations

from ssr.consensus.dag import Edge
from ssr.consensus.draft import DraftSource

#: Evidence of one kind, coarse and fine: length of the agreement, and part of the scale that the weight is in; source.
Kind = tuple[tuple[int, int], tuple[int, int, DraftSource]]

#: Tokens; beyond it more agreement says little more.
_LONGEST_COARSE, _LONGEST = 10, 12
#: Parts of the weight's scale.
_SHARES_COARSE, _SHARES = 5, 8
_PRIOR_TOKENS = 8.0  #: that a first guess weighs
_PRIOR_TRUST = 0.8  #: of a weight, before anything is known
_ENOUGH = 4096.0  #: tokens of a kind after which older ones fade


class AcceptanceCalibration:
    """Counts of accepted tokens by kind of evidence. They show nothing of whose tokens they were."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int] | tuple[int, int, DraftSource], tuple[float, float]] = {}

    def probability(self, edge: Edge) -> tuple[float, Kind]:
        """The estimate that `edge` is what the model will write, given that all before it was; and its kind."""
        coarse = min(edge.agreed, _LONGEST_COARSE), _share(edge.weight, _SHARES_COARSE)
        fine = min(edge.agreed, _LONGEST), _share(edge.weight, _SHARES), edge.source
        estimate = self._estimate(coarse, _PRIOR_TRUST * edge.weight)
        return self._estimate(fine, estimate), (coarse, fine)

    def learn(self, kind: Kind, accepted: bool) -> None:
        """A draft token of this kind was reached, and accepted or not."""
        for one in kind:
            good, seen = self._counts.get(one, (0.0, 0.0))
            if seen >= _ENOUGH:
                good, seen = good / 2, seen / 2
            self._counts[one] = good + accepted, seen + 1

    def _estimate(self, kind: tuple[int, int] | tuple[int, int, DraftSource], guess: float) -> float:
        accepted, seen = self._counts.get(kind, (0.0, 0.0))
        return (accepted + _PRIOR_TOKENS * guess) / (seen + _PRIOR_TOKENS)


def _share(weight: float, parts: int) -> int:
    return min(int(weight * parts), parts - 1)
