"""The layered graph of what may come next, and the path through it that most continuations agree on (arXiv 2503.05330).

Pooled are the tokens that followed where the sample's suffix occurred before. Layer i of the graph holds their i-th
tokens; equal tokens of a layer are one node, so continuations that part and meet again share nodes:

    "... 18 - 3 |"   sibling 1:  - 4  = 11            layer 1    layer 2    layer 3
                     sibling 2:  - 4  = 11              -  ──────  4  ─┬──────  =
                     sibling 3:  - 4 eggs               -  ──────  4  ─┴─────  eggs

An edge u -> v weighs alpha * p(v|u) + (1 - alpha) * Freq(u -> v). Freq is the weighted share of the continuations at u
that go on with v: one whose agreement with the sample and the draft so far is a token longer counts `sharpness` times
as much, and one that only met the path again counts little. The draft takes the heaviest edge of each layer; only the
edges that leave the path are ever computed, so a call costs (pooled continuations) x (tokens drafted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, repeat
from operator import add, mul

from ssr.consensus.draft import DraftSource
from ssr.consensus.memory import Text
from ssr.consensus.settings import LONGEST_AGREEMENT


@dataclass(slots=True)
class Continuation:
    """What follows `place` in `text`; it moves on as the draft grows.

    `agreed` tokens before `place` equal the end of sample and draft; 0 when it does not go along with the path.
    """

    text: Text
    place: int
    agreed: int
    weight: float
    source: DraftSource


@dataclass(frozen=True, slots=True)
class Edge:
    """The heaviest edge that leaves the path's end.

    `agreed` and `source` are of the continuation that speaks for it most.
    """

    token: int
    weight: float
    agreed: int
    source: DraftSource


class ConsensusGraph:
    """The path through the graph, taken one token at a time."""

    def __init__(self, pool: Sequence[Continuation], sharpness: float, alpha: float) -> None:
        self._pool = pool
        self._alpha = alpha
        self._votes = [0.0, *accumulate(repeat(sharpness, LONGEST_AGREEMENT), mul)]

    def heaviest(self) -> Edge | None:
        """The edge to take next; None where no continuation goes on."""
        votes: dict[int, float] = {}
        loudest: dict[int, tuple[float, Continuation]] = {}
        for one in self._pool:
            tokens, place = one.text.tokens, one.place
            if not one.agreed or place >= len(tokens):
                continue
            vote = one.weight * self._votes[min(one.agreed, LONGEST_AGREEMENT)]
            token = tokens[place]
            if token not in votes:
                votes[token] = vote
                loudest[token] = (vote, one)
            else:
                votes[token] += vote
                if vote > loudest[token][0]:
                    loudest[token] = (vote, one)
        if not votes:
            return None
        total = reduce(add, votes.values())  # sum() rounds otherwise from Python 3.12 on
        if self._alpha:
            votes = self._with_probabilities({token: vote / total for token, vote in votes.items()})
            total = 1.0
        token = max(votes, key=votes.__getitem__)  # of equals the first: the longer and later match
        speaker = loudest[token][1]
        return Edge(token, votes[token] / total, speaker.agreed, speaker.source)

    def advance(self, token: int) -> None:
        """Go to `token`: continuations that hold it in this layer are on the path, whatever they held before."""
        for one in self._pool:
            tokens, place = one.text.tokens, one.place
            one.agreed = one.agreed + 1 if place < len(tokens) and tokens[place] == token else 0
            one.place = place + 1

    def _with_probabilities(self, frequencies: dict[int, float]) -> dict[int, float]:
        """alpha * p + (1 - alpha) * Freq, where p is the model's mean for the token; else Freq alone."""
        reported: dict[int, list[float]] = {}
        for one in self._pool:
            probabilities = one.text.probabilities
            if one.agreed and probabilities is not None and one.place < len(probabilities):
                reported.setdefault(one.text.tokens[one.place], []).append(probabilities[one.place])
        return {
            token: self._alpha * reduce(add, reported[token]) / len(reported[token]) + (1 - self._alpha) * frequency
            if token in reported
            else frequency
            for token, frequency in frequencies.items()
        }
