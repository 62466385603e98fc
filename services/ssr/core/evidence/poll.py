"""The votes of finished paths, counted by answer and author."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ssr.core.evidence.prior import PathAuthor

#: Of each author in `Counts`.
PLACES = {author: place for place, author in enumerate(PathAuthor)}
NOBODY = (0,) * len(PathAuthor)

#: Counts of votes, one an author, in the order of `PathAuthor`.
Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PathVote:
    """A finished path as a vote. `answer`: which of the answers it gave, from 0; None: it ended without one.

    `ratio`: what else the path shows, as log(P(shown | right) / P(shown | wrong)); `weight`: its share of a weighted
    vote; `tokens`: its length, 0 if unknown.
    """

    author: PathAuthor
    answer: int | None
    ratio: float = 0.0
    weight: float = 1.0
    tokens: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Support:
    """The votes for one answer, and the sum of their ratios."""

    counts: Counts
    ratio: float = 0.0

    @property
    def votes(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Poll:
    """Every answer's support, by its number, and how many votes each author cast, those without an answer included."""

    answers: tuple[Support, ...] = ()
    cast: Counts = NOBODY

    @classmethod
    def of(cls, votes: Sequence[PathVote]) -> Poll:
        poll = cls()
        for vote in votes:
            poll = poll.add(vote)
        return poll

    def add(self, vote: PathVote) -> Poll:
        """With one more vote; numbers that it leaves out below its own are answers without votes so far."""
        cast = raised(self.cast, PLACES[vote.author])
        if vote.answer is None:
            return replace(self, cast=cast)
        missing = (Support(NOBODY),) * (vote.answer + 1 - len(self.answers))
        answers = list(self.answers + missing)
        support = answers[vote.answer]
        answers[vote.answer] = Support(raised(support.counts, PLACES[vote.author]), support.ratio + vote.ratio)
        return Poll(tuple(answers), cast)

    @property
    def plain(self) -> Poll:
        """The same votes whatever the answers' numbers are."""
        heard = (support for support in self.answers if support.votes)
        return Poll(tuple(sorted(heard, reverse=True)), self.cast)


def raised(counts: Counts, place: int) -> Counts:
    """With one more vote of the author at `place`."""
    return (*counts[:place], counts[place] + 1, *counts[place + 1 :])
