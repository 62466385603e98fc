"""How sure the votes make each answer, and what further votes are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ssr.core.evidence.poll import Counts, PathVote, Poll
from ssr.core.evidence.prior import PathAuthor, Prior

#: So many further paths are looked ahead; beyond them the rule looks again when they have ended.
HORIZON = 4
#: With more answers only half as far: each further path may join any of them, and the loop must not wait long.
_MANY_ANSWERS = 6
#: Remembered values; past them all are forgotten, so that a process does not grow.
_MEMORY = 50_000
_LEAST = 1e-300
#: What sums of floating-point numbers may differ by.
_NOISE = 1e-12
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Sureness:
    """`answers`: the probability that each answer is right, by its number; `none`: that it is yet to be given."""

    answers: tuple[float, ...]
    none: float

    @property
    def leader(self) -> int | None:
        """The number of the most probable answer."""
        return max(range(len(self.answers)), key=self.answers.__getitem__, default=None)


class Posterior:
    """The posterior over answers under a prior: pure functions of a poll, with a memory of what was asked before.

    For each answer, that it is the right one: the chance of its votes and of all others being wrong, over the
    problem's ease; times the chance of the wrong answers falling as they did; times what its paths show.
    """

    def __init__(self, prior: Prior, strangeness: float = 0.0) -> None:
        self.prior = prior
        self._others: dict[float, Posterior] = {strangeness: self}
        nodes = prior.nodes(strangeness)
        self._nodes = [(weight, tuple(chances[author] for author in PathAuthor)) for weight, chances in nodes]
        self._wrong = prior.wrong
        self._chances: dict[tuple[Counts, Counts], float] = {}
        self._falls: dict[tuple[int, ...], float] = {}
        self._joints: dict[Poll, tuple[float, ...]] = {}
        self._values: dict[tuple[Poll, tuple[PathAuthor, ...], float], float] = {}

    def given(self, tokens: Sequence[int]) -> Posterior:
        """That of a problem whose paths have so many tokens each."""
        strangeness = self.prior.length.strangeness(tokens)
        if strangeness not in self._others:
            self._others[strangeness] = Posterior(self.prior, strangeness)
        return self._others[strangeness]

    def sureness(self, poll: Poll) -> Sureness:
        """The probabilities of all answers of a poll; they and `none` sum to 1."""
        *answers, none = self._joint(poll)
        total = math.fsum(answers) + none
        return Sureness(tuple(one / total for one in answers), none / total)

    def gain(self, poll: Poll, to_come: Sequence[PathAuthor], price: float) -> float:
        """By how much further paths raise the chance of a right answer, less `price` for each, when stopped best.

        0 when no further path is worth its price. Looks `HORIZON` paths ahead at most.
        """
        poll = poll.plain
        now = max(self.sureness(poll).answers, default=0.0)
        horizon = HORIZON if len(poll.answers) <= _MANY_ANSWERS else HORIZON // 2
        gain = self._value(poll, tuple(to_come[:horizon]), price) - now
        return gain if gain > _NOISE else 0.0

    def _value(self, poll: Poll, to_come: tuple[PathAuthor, ...], price: float) -> float:
        """The chance of a right answer under the best way to go on or stop, less what going on costs."""
        known = self._values.get((poll, to_come, price))
        if known is not None:
            return known
        joint = self._joint(poll)
        total = math.fsum(joint)
        value = max(joint[:-1], default=0.0) / total
        if to_come and 1 - value > price:  # else nothing can be gained that is worth a path
            value = max(value, self._going_on(poll, to_come, price, total) - price)
        return _remember(self._values, (poll, to_come, price), value)

    def _going_on(self, poll: Poll, to_come: tuple[PathAuthor, ...], price: float, total: float) -> float:
        author, rest = to_come[0], to_come[1:]
        expected, left = 0.0, 1.0
        for support in dict.fromkeys(poll.answers):
            number = poll.answers.index(support)
            after = poll.add(PathVote(author, number)).plain
            chance = poll.answers.count(support) * math.fsum(self._joint(after)) / total
            expected += chance * self._value(after, rest, price)
            left -= chance
        fresh = poll.add(PathVote(author, len(poll.answers))).plain
        return expected + max(0.0, left) * self._value(fresh, rest, price)

    def _joint(self, poll: Poll) -> tuple[float, ...]:
        """The chance of the poll with each answer being right, and with none; not normalised."""
        known = self._joints.get(poll)
        if known is not None:
            return known
        sizes = [support.votes for support in poll.answers]
        nobody = (0,) * len(poll.cast)
        found = []
        for number, support in enumerate(poll.answers):
            others = [size for place, size in enumerate(sizes) if place != number and size]
            found.append(self._chance(support.counts, poll.cast) * self._fall(others) * math.exp(support.ratio))
        found.append(self._chance(nobody, poll.cast) * self._fall([size for size in sizes if size]))
        return _remember(self._joints, poll, tuple(max(one, _LEAST) for one in found))

    def _chance(self, right: Counts, cast: Counts) -> float:
        """That of the votes cast exactly these are right, in their order, over the problem's ease."""
        known = self._chances.get((right, cast))
        if known is None:
            known = math.fsum(
                weight * math.prod(p**r * (1 - p) ** (c - r) for p, r, c in zip(chances, right, cast, strict=True))
                for weight, chances in self._nodes
            )
            _remember(self._chances, (right, cast), known)
        return known

    def _fall(self, sizes: list[int]) -> float:
        """The chance that wrong answers fall into groups of these sizes."""
        key = tuple(sorted(sizes))
        known = self._falls.get(key)
        if known is None:
            known = math.fsum(weight * _partition(key, concentration) for weight, concentration in self._wrong)
            _remember(self._falls, key, known)
        return known


def _partition(sizes: Sequence[int], concentration: float) -> float:
    """The probability of a partition under a Chinese restaurant process."""
    value = math.prod(concentration * math.gamma(size) for size in sizes)
    return value / math.prod(concentration + placed for placed in range(sum(sizes)))


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(memory) >= _MEMORY:
        memory.clear()
    memory[key] = value
    return value
