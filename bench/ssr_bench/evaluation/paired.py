"""Two ways on the same problems: how far apart they are, whether that is chance, whether one is no worse. Pure.

A problem is a cluster: its repeats are alike, and are never taken for independent problems.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ssr_bench.evaluation.statistics import RESAMPLES, Z95, IntervalEstimate, effective_trials, ends, mcnemar

#: Right or wrong, by the one way and by the other, of each repeat of one problem.
Pairs = Sequence[tuple[bool, bool]]


@dataclass(frozen=True, slots=True)
class Gain:
    """The accuracy of the one way above that of the other, a share, with its 95 % interval.

    `only_first` and `only_second`: pairs in which only the one, or only the other, is right; `p`: two-sided, of a
    difference as large by chance alone. `trials`: how many independent pairs the `pairs` are worth.
    """

    gain: IntervalEstimate
    only_first: int
    only_second: int
    p: float
    pairs: int
    trials: float

    def no_worse_p(self, margin: float) -> float:
        """Of the hypothesis that the first way is worse by `margin` (a share, over 0) or more; one-sided.

        Tango's score test of the paired difference, on as many pairs as the repeats are worth.
        """
        total = self.trials
        share = total / self.pairs if self.pairs else 0.0
        return 1 - NormalDist().cdf(tango(share * self.only_first, share * self.only_second, total, -margin))

    def no_worse(self, margin: float) -> bool:
        """Whether it is shown, at 2.5 % one-sided, that the first way is not worse by `margin`."""
        return self.gain.low > -margin


def gain_of(groups: Sequence[Pairs]) -> Gain | None:
    """The comparison over problems; None without a pair.

    Without repeats the interval is Tango's and the test McNemar's, exact. With repeats the interval is that of a
    bootstrap over problems, and never narrower than Tango's on the pairs that the repeats are worth, since resampling
    few differences understates what is not known; the test flips the signs of the problems' differences, exactly.
    """
    groups = sorted(sorted(group) for group in groups if group)
    pairs = [pair for group in groups for pair in group]
    if not pairs:
        return None
    first, second = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    value = (first - second) / len(pairs)
    trials = effective_trials([[int(a) - int(b) for a, b in group] for group in groups])
    share = trials / len(pairs)
    low, high = tango_interval(share * first, share * second, trials)
    if len(pairs) == len(groups):
        p = mcnemar(pairs).p
    else:
        sums = [sum(int(a) - int(b) for a, b in group) for group in groups]
        p = sign_flip(sums)
        drawn = clustered(groups)
        low, high = min(low, drawn.low), max(high, drawn.high)
    return Gain(IntervalEstimate(value, min(low, value), max(high, value)), first, second, p, len(pairs), trials)


def clustered(groups: Sequence[Pairs], resamples: int = RESAMPLES) -> IntervalEstimate:
    """The mean difference of the pairs with the 95 % interval of a bootstrap over problems, whole ones."""
    sums = [(sum(int(a) - int(b) for a, b in group), len(group)) for group in groups]
    dice, drawn = random.Random(0), []
    for _ in range(resamples):
        sample = dice.choices(sums, k=len(sums))
        drawn.append(sum(gap for gap, _ in sample) / sum(count for _, count in sample))
    value = sum(gap for gap, _ in sums) / sum(count for _, count in sums)
    low, high = ends(drawn)
    return IntervalEstimate(value, min(low, value), max(high, value))


def tango(first: float, second: float, total: float, gain: float) -> float:
    """The score statistic of the hypothesis that the paired difference is `gain`; standard normal where it is.

    `first` and `second` are how many of `total` pairs only the one, or only the other, is right in; they need not be
    whole. Source: Tango 1998 (Statistics in Medicine 17, 891-908), equations 7 to 9.
    """
    if total <= 0:
        return 0.0
    a, b = 2 * total, -first - second + (2 * total - first + second) * gain
    c = -second * gain * (1 - gain)
    worse = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    spread = total * (2 * worse + gain * (1 - gain))
    excess = first - second - total * gain
    if spread <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(spread)


def tango_interval(first: float, second: float, total: float, z: float = Z95) -> tuple[float, float]:
    """The differences that are not rejected at `z`. Source: as `tango`."""
    value = (first - second) / total if total > 0 else 0.0
    return (_crossing(first, second, total, -1.0, value, z), _crossing(first, second, total, 1.0, value, -z))


def _crossing(first: float, second: float, total: float, end: float, value: float, z: float) -> float:
    """Where the statistic, which falls with the difference, is `z`: between `end` and the value; by halving."""
    outside, inside = end, value
    for _ in range(60):
        middle = (outside + inside) / 2
        beyond = tango(first, second, total, middle) >= z if z > 0 else tango(first, second, total, middle) <= z
        outside, inside = (middle, inside) if beyond else (outside, middle)
    return (outside + inside) / 2


def sign_flip(differences: Sequence[int]) -> float:
    """How probable a sum at least as far from 0 is if each difference had its sign by chance: exact, two-sided.

    With differences of 1 alone it is McNemar's exact test.
    """
    reached: dict[int, float] = {0: 1.0}
    for size in map(abs, differences):
        if size:
            flipped: dict[int, float] = {}
            for total, chance in reached.items():
                for next_total in (total + size, total - size):
                    flipped[next_total] = flipped.get(next_total, 0.0) + chance / 2
            reached = flipped
    far = abs(sum(differences))
    return min(1.0, math.fsum(chance for total, chance in reached.items() if abs(total) >= far))


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for there being so many: rejecting those at most at a level errs anywhere at most so often.

    Source: Holm 1979 (Scandinavian Journal of Statistics 6, 65-70).
    """
    corrected, reached = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        reached = max(reached, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = reached
    return corrected
