"""What can be said of few observations: intervals, paired comparisons, unbiased estimates. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

#: The two-sided 95 % quantile of the normal distribution.
Z95 = 1.959963984540054
#: Resamples of a bootstrap; its 2.5 % quantile is then the 50th of them.
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class IntervalEstimate:
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two ways on the same problems: how often only the one, or only the other, was right; p: by chance alone."""

    only_first: int
    only_second: int
    p: float


def wilson(share: float, trials: float, z: float = Z95) -> IntervalEstimate:
    """A share of right ones among `trials`, with Wilson's score interval; 0..1 without trials.

    `trials` need not be whole: see `effective_trials`.
    Source: Wilson 1927, equation for the roots in p.
    """
    if trials <= 0:
        return IntervalEstimate(0.0, 0.0, 1.0)
    shrink = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # At 0 and 1 an end is the share itself; rounding must not put it on the wrong side.
    return IntervalEstimate(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def effective_trials(groups: Sequence[Sequence[float]]) -> float:
    """How many independent trials the outcomes (numbers, or right and wrong) are worth; a group has one problem's.

    Repeats of one problem are alike, so they count for less than as many problems: N / (1 + (n - 1) r), where r is the
    intraclass correlation (one-way analysis of variance; n: the mean size of groups, corrected for unequal ones).
    Never less than the number of groups, nor more than that of outcomes. Where all outcomes are equal nothing can be
    reported r, and repeats count for nothing.
    """
    groups = [group for group in groups if group]
    total, count = sum(map(len, groups)), len(groups)
    if count < 2 or total == count:
        return float(count)
    shares = [sum(group) / len(group) for group in groups]
    mean = sum(map(sum, groups)) / total
    between = sum(len(g) * (p - mean) ** 2 for g, p in zip(groups, shares, strict=True)) / (count - 1)
    within = sum((x - p) ** 2 for g, p in zip(groups, shares, strict=True) for x in g) / (total - count)
    size = (total - sum(len(group) ** 2 for group in groups) / total) / (count - 1)
    spread = between + (size - 1) * within
    correlation = (between - within) / spread if spread > 0 else 1.0
    worth = total / (1 + (size - 1) * max(0.0, correlation))
    return min(float(total), max(float(count), worth))


def mcnemar(pairs: Sequence[tuple[bool, bool]]) -> PairedTest:
    """McNemar's exact test, two-sided: the pairs that differ are coin throws if both ways are equally good."""
    first = sum(a and not b for a, b in pairs)
    second = sum(b and not a for a, b in pairs)
    differing = first + second
    tail = sum(math.comb(differing, i) for i in range(min(first, second) + 1))
    return PairedTest(first, second, min(1.0, 2 * tail / 2**differing))


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of `k` of the `samples` is right, where `right` of them are: the unbiased estimator.

    Source: Chen et al. 2021 (arXiv 2107.03374), equation 1. Raises: ValueError unless 1 <= k <= samples.
    """
    if not (1 <= k <= samples and 0 <= right <= samples):
        raise ValueError(f"no pass@{k} of {samples} samples, {right} right")
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def ratio(pairs: Sequence[tuple[float, float]], resamples: int = RESAMPLES) -> IntervalEstimate | None:
    """The sum of the firsts over the sum of the seconds, with a bootstrap interval over the pairs.

    A pair belongs to one problem. None where the seconds have no sum. The resampling is seeded: equal pairs give equal
    intervals, in whatever order they are.
    """
    pairs = sorted(pairs)
    below = math.fsum(b for _, b in pairs)
    if below <= 0:
        return None
    dice, drawn = random.Random(0), []
    for _ in range(resamples):
        sample = dice.choices(pairs, k=len(pairs))
        if (bottom := math.fsum(b for _, b in sample)) > 0:
            drawn.append(math.fsum(a for a, _ in sample) / bottom)
    value = math.fsum(a for a, _ in pairs) / below
    low, high = ends(drawn) if drawn else (value, value)
    return IntervalEstimate(value, min(low, value), max(high, value))


def mean_estimate(groups: Sequence[Sequence[float]], resamples: int = RESAMPLES) -> IntervalEstimate | None:
    """The mean over groups of each group's mean, with a bootstrap interval over groups; None without any.

    A group has one problem's repeats.
    """
    means = sorted(math.fsum(group) / len(group) for group in groups if group)
    if not means:
        return None
    dice = random.Random(0)
    drawn = [math.fsum(dice.choices(means, k=len(means))) / len(means) for _ in range(resamples)]
    value = math.fsum(means) / len(means)
    low, high = ends(drawn)
    if low == high and 0 <= value <= 1:  # resampling equal shares shows nothing of what is not known
        return wilson(value, len(means))
    return IntervalEstimate(value, min(low, value), max(high, value))


def auc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """The chance that a right one scores above a wrong one, ties counting half; None where one kind is missing."""
    ranked = sorted(zip(scores, right, strict=True))
    rights = sum(right)
    wrongs = len(ranked) - rights
    if not rights or not wrongs:
        return None
    won, below, start = 0.0, 0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        tied_right = sum(is_right for _, is_right in ranked[start:end])
        tied_wrong = end - start - tied_right
        won += tied_right * (below + tied_wrong / 2)
        below, start = below + tied_wrong, end
    return won / (rights * wrongs)


def auc_estimate(groups: Sequence[Sequence[tuple[float, bool]]], resamples: int = 500) -> IntervalEstimate | None:
    """`auc` of all (score, right) with a bootstrap interval over groups; a group has one problem's paths."""
    value = _auc_of(groups)
    if value is None:
        return None
    dice = random.Random(0)
    drawn = [one for _ in range(resamples) if (one := _auc_of(dice.choices(groups, k=len(groups)))) is not None]
    low, high = ends(drawn)
    return IntervalEstimate(value, min(low, value), max(high, value))


def _auc_of(groups: Sequence[Sequence[tuple[float, bool]]]) -> float | None:
    paths = [path for group in groups for path in group]
    return auc([score for score, _ in paths], [right for _, right in paths])


def ends(drawn: list[float]) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of a bootstrap's values, which are sorted."""
    drawn.sort()
    cut = int(len(drawn) * 0.025)
    return drawn[cut], drawn[-1 - cut]
