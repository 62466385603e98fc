"""How sure the votes make each answer, and what further votes are worth."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ssr.core.evidence.poll import NOBODY, PLACES, Counts, Poll, raised
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
#: The support of each answer as plain tuples, which are hashed and ordered quickly: counts of votes, and ratios.
_Answers = tuple[tuple[Counts, float], ...]
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
        self._nodes = prior.nodes(strangeness)
        self._weights = tuple(weight for weight, _ in self._nodes)
        self._votes: dict[tuple[int, int, int], tuple[float, ...]] = {}
        self._wrong = prior.wrong
        self._chances: dict[tuple[Counts, Counts], float] = {}
        self._falls: dict[tuple[int, ...], float] = {}
        self._joints: dict[tuple[_Answers, Counts], tuple[tuple[float, ...], float]] = {}
        self._values: dict[tuple[_Answers, Counts, tuple[int, ...], float], float] = {}

    @property
    def worked_out(self) -> int:
        """How many polls' chances are remembered: what `gain` costs is about as many as it adds."""
        return len(self._joints)

    def given(self, tokens: Sequence[int]) -> Posterior:
        """That of a problem whose paths have so many tokens each."""
        strangeness = self.prior.length.strangeness(tokens)
        if strangeness not in self._others:
            self._others[strangeness] = Posterior(self.prior, strangeness)
        return self._others[strangeness]

    def sureness(self, poll: Poll) -> Sureness:
        """The probabilities of all answers of a poll; they and `none` sum to 1."""
        (*answers, none), total = self._joint(*_state(poll))
        return Sureness(tuple(one / total for one in answers), none / total)

    def mass(self, poll: Poll) -> float:
        """How probable it is that votes fall like these, up to a factor that is the same for votes of equal authors."""
        return self._joint(*_state(poll))[1]

    def gain(self, poll: Poll, to_come: Sequence[PathAuthor], price: float) -> float:
        """By how much further paths raise the chance of a right answer, less `price` for each, when stopped best.

        0 when no further path is worth its price. Looks `HORIZON` paths ahead at most.
        """
        poll = poll.plain
        answers, cast = _state(poll)
        now = max(self.sureness(poll).answers, default=0.0)
        horizon = HORIZON if len(answers) <= _MANY_ANSWERS else HORIZON // 2
        gain = self._value(answers, cast, tuple(PLACES[author] for author in to_come[:horizon]), price) - now
        return gain if gain > _NOISE else 0.0

    def _value(self, answers: _Answers, cast: Counts, to_come: tuple[int, ...], price: float) -> float:
        """The chance of a right answer under the best way to go on or stop, less what going on costs.

        `to_come`: the authors' places.
        """
        key = answers, cast, to_come, price
        known = self._values.get(key)
        if known is not None:
            return known
        joint, total = self._joint(answers, cast)
        value = max(joint[:-1], default=0.0) / total
        if to_come and 1 - value > price:  # else nothing can be gained that is worth a path
            value = max(value, self._going_on(answers, cast, to_come, price, total) - price)
        return _remember(self._values, key, value)

    def _going_on(self, answers: _Answers, cast: Counts, to_come: tuple[int, ...], price: float, total: float) -> float:
        place, rest = to_come[0], to_come[1:]
        cast = raised(cast, place)
        expected, left = 0.0, 1.0
        for answer in dict.fromkeys(answers):
            after = _with(answers, answer, place)
            chance = answers.count(answer) * self._joint(after, cast)[1] / total
            expected += chance * self._value(after, cast, rest, price)
            left -= chance
        fresh = _with(answers, None, place)
        return expected + max(0.0, left) * self._value(fresh, cast, rest, price)

    def _joint(self, answers: _Answers, cast: Counts) -> tuple[tuple[float, ...], float]:
        """The chance of the poll with each answer being right, and with none, not normalised; and their sum."""
        key = answers, cast
        known = self._joints.get(key)
        if known is not None:
            return known
        sizes = [sum(counts) for counts, _ in answers]
        ordered = sorted(size for size in sizes if size)
        found = []
        for (counts, ratio), size in zip(answers, sizes, strict=True):
            others = list(ordered)
            if size:
                others.remove(size)
            found.append(self._chance(counts, cast) * self._fall(tuple(others)) * math.exp(ratio))
        found.append(self._chance(NOBODY, cast) * self._fall(tuple(ordered)))
        joint = tuple(max(one, _LEAST) for one in found)
        return _remember(self._joints, key, (joint, math.fsum(joint)))

    def _chance(self, right: Counts, cast: Counts) -> float:
        """That of the votes cast exactly these are right, in their order, over the problem's ease."""
        known = self._chances.get((right, cast))
        if known is None:
            product: Iterable[float] = self._weights
            for place, (r, c) in enumerate(zip(right, cast, strict=True)):
                if c:
                    product = map(operator.mul, product, self._of_author(place, r, c - r))
            known = _remember(self._chances, (right, cast), math.fsum(product))
        return known

    def _of_author(self, place: int, right: int, wrong: int) -> tuple[float, ...]:
        """The chance of so many right and wrong votes of an author, at each ease: powers are taken once."""
        known = self._votes.get((place, right, wrong))
        if known is None:
            author = tuple(PathAuthor)[place]
            chances = [chances[author] for _, chances in self._nodes]
            known = tuple(p**right * (1 - p) ** wrong for p in chances)
            self._votes[place, right, wrong] = known
        return known

    def _fall(self, key: tuple[int, ...]) -> float:
        """The chance that wrong answers fall into groups of these sizes, which are sorted."""
        known = self._falls.get(key)
        if known is None:
            known = math.fsum(weight * _partition(key, concentration) for weight, concentration in self._wrong)
            _remember(self._falls, key, known)
        return known


def _state(poll: Poll) -> tuple[_Answers, Counts]:
    return tuple((support.counts, support.ratio) for support in poll.answers), poll.cast


def _with(answers: _Answers, answer: tuple[Counts, float] | None, place: int) -> _Answers:
    """With one more vote of the author at `place`, for an answer that is there or (None) a new one; as `Poll.plain`."""
    rest = list(answers)
    counts, ratio = (NOBODY, 0.0) if answer is None else answer
    if answer is not None:
        rest.remove(answer)
    rest.append((raised(counts, place), ratio))
    return tuple(sorted(rest, reverse=True))


def _partition(sizes: Sequence[int], concentration: float) -> float:
    """The probability of a partition under a Chinese restaurant process."""
    value = math.prod(concentration * math.gamma(size) for size in sizes)
    return value / math.prod(concentration + placed for placed in range(sum(sizes)))


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    if len(memory) >= _MEMORY:
        memory.clear()
    memory[key] = value
    return value
