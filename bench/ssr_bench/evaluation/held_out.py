"""Choices made on some problems and judged on others, so that what is chosen does not flatter itself. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ssr_bench.evaluation.paired import Gain, gain_of
from ssr_bench.evaluation.statistics import IntervalEstimate, effective_trials, ratio, wilson

FOLDS = 5


@dataclass(frozen=True, slots=True)
class OptionOutcome:
    """What one option came to on one problem.

    `right`: of each of its runs whose outcome is known, of `runs`; `pairs`: the same beside the baseline's run. `spent`
    and `base`: what it cost, and the baseline; None: not known.
    """

    right: tuple[bool, ...]
    runs: int
    pairs: tuple[tuple[bool, bool], ...] = ()
    spent: float | None = None
    base: float | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Outcomes taken together. `known`: the share of runs that are; `base`: the baseline's accuracy on the same."""

    accuracy: IntervalEstimate
    known: float
    ratio: IntervalEstimate | None
    gain: Gain | None
    base: float | None

    @classmethod
    def of(cls, outcomes: Sequence[OptionOutcome], *, intervals: bool = True) -> Sums:
        """Without `intervals` those of the costs are left out, which take the time."""
        right = [list(one.right) for one in outcomes if one.right]
        count = sum(map(len, right))
        share = sum(map(sum, right)) / count if count else 0.0
        runs = sum(one.runs for one in outcomes)
        costs = [(one.spent, one.base) for one in outcomes if one.spent is not None and one.base]
        pairs = [pair for one in outcomes for pair in one.pairs]
        return cls(
            accuracy=wilson(share, effective_trials(right)),
            known=count / runs if runs else 0.0,
            ratio=ratio([(a, b) for a, b in costs if b], 500 if intervals else 1),
            gain=gain_of([one.pairs for one in outcomes]) if intervals else None,
            base=sum(base for _, base in pairs) / len(pairs) if pairs else None,
        )


Option = TypeVar("Option")
#: The option that some problems speak for.
Choose = Callable[[Sequence[str]], Option]


@dataclass(frozen=True, slots=True)
class HeldOut(Generic[Option]):
    """What choosing comes to on problems that had no part in it; `chosen` has each fold's choice."""

    folds: int
    problems: int
    sums: Sums
    chosen: tuple[Option, ...]


def held_out(
    problems: Sequence[str],
    choose: Choose[Option],
    outcomes: Callable[[Option], Mapping[str, OptionOutcome]],
    folds: int = FOLDS,
) -> HeldOut[Option] | None:
    """Choose on all folds but one, look at that one; None with fewer than two problems. Folds are seeded."""
    parts = folds_of(problems, folds)
    if len(parts) < 2:
        return None
    seen: list[OptionOutcome] = []
    chosen: list[Option] = []
    for part in parts:
        outside = frozenset(part)
        option = choose([one for one in problems if one not in outside])
        found = outcomes(option)
        seen += [found[one] for one in part if one in found]
        chosen.append(option)
    return HeldOut(len(parts), len(seen), Sums.of(seen), tuple(chosen))


def folds_of(problems: Sequence[str], folds: int = FOLDS) -> list[list[str]]:
    """The problems in parts of as many each, by chance, and the same ones again."""
    ordered = sorted(set(problems))
    random.Random(1).shuffle(ordered)
    count = min(folds, len(ordered))
    return [ordered[number::count] for number in range(count)]


def cheapest(sums: Mapping[Option, Sums], meets: Callable[[Sums], bool]) -> Option:
    """The cheapest option that meets the wish; where none does, the most accurate."""
    good = [option for option, one in sums.items() if meets(one)]
    if good:
        return min(good, key=lambda option: (_cost(sums[option]), -sums[option].accuracy.value))
    return max(sums, key=lambda option: (sums[option].accuracy.value, -_cost(sums[option])))


def _cost(sums: Sums) -> float:
    return sums.ratio.value if sums.ratio is not None else math.inf
