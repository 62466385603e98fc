"""Curves that make probabilities of scores, fitted to recorded steps, and how reliable they are on other problems.

A step counts as right when its path ended right; the steps of a path weigh one path together. Which kind of curve is
better is found out on folds of the problems that it is fitted to; how good the better one is, on problems of neither.
Sources: pool adjacent violators (Ayer et al. 1955) for isotonic curves, Platt 1999 for logistic ones.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ssr.core.evidence.curve import Isotonic, Logistic, ScoreCurve, sigmoid
from ssr_bench.evaluation.held_out import folds_of
from ssr_bench.evaluation.statistics import IntervalEstimate, auc_estimate, ends

FOLDS = 5
#: Fewer problems fit nothing.
MIN_PROBLEMS = 20
#: Blocks of an isotonic curve, at most, and how many paths at the mean rate each is drawn to it by.
_BLOCKS, _PSEUDO = 20, 2.0
#: How strongly a logistic slope is drawn to 0: as by so many paths.
_RIDGE = 1.0
_BINS = 10
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class ScoredStep:
    """A score, 0..9, whether its path ended right, and the step's part of its path."""

    problem: str
    score: float
    right: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """How good predictions are on problems that had no part in them. Intervals: bootstraps over problems.

    `brier`: the mean square of what they miss by; `constant`: that of always saying the mean rate. `ece`: the mean
    distance of prediction and share of right ones over ten bins of like predictions; of few steps it is never 0. `auc`:
    of the scores; None where all are of one kind.
    """

    problems: int
    steps: int
    right: float
    brier: IntervalEstimate
    constant: float
    ece: IntervalEstimate
    auc: IntervalEstimate | None


@dataclass(frozen=True, slots=True)
class FittedCurve:
    """A scorer's curve, fitted to all steps, and the reliability of curves that were fitted without the problem."""

    curve: ScoreCurve
    reliability: Reliability

    @property
    def kind(self) -> str:
        return "isotonic" if isinstance(self.curve, Isotonic) else "logistic"


def fitted_curve(steps: Sequence[ScoredStep]) -> FittedCurve | None:
    """None where too few problems have scores, or all paths ended alike."""
    groups = _by_problem(steps)
    if len(groups) < MIN_PROBLEMS or len({step.right for step in steps}) < 2:
        return None
    predicted: dict[int, float] = {}
    for part in folds_of(list(groups), FOLDS):
        held = set(part)
        curve = _better([step for step in steps if step.problem not in held])
        predicted |= {id(step): curve.chance(step.score) for name in held for step in groups[name]}
    return FittedCurve(_better(steps), reliability(list(groups.values()), lambda step: predicted[id(step)]))


def reliability(groups: Sequence[Sequence[ScoredStep]], predicted: Callable[[ScoredStep], float]) -> Reliability:
    """Of predictions for the steps of each problem."""
    rows = [[(predicted(step), step.right, step.weight) for step in group] for group in groups]
    every = [row for group in rows for row in group]
    mean = _mean([(right, weight) for _, right, weight in every])
    return Reliability(
        problems=len(groups),
        steps=len(every),
        right=mean,
        brier=_estimate(rows, _brier),
        constant=mean * (1 - mean),
        ece=_estimate(rows, _ece),
        auc=auc_estimate([[(step.score, step.right) for step in group] for group in groups], _RESAMPLES),
    )


def isotonic(steps: Sequence[ScoredStep]) -> Isotonic:
    """The rising curve of least squares over blocks of like scores."""
    rate = _mean([(step.right, step.weight) for step in steps])
    blocks = [_Block.of(part, rate) for part in _parted(steps)]
    risen: list[_Block] = []
    for block in blocks:
        risen.append(block)
        while len(risen) > 1 and risen[-2].chance >= risen[-1].chance:
            last = risen.pop()
            risen[-1] = risen[-1].joined(last)
    return Isotonic(tuple((block.score, block.chance) for block in risen))


def logistic(steps: Sequence[ScoredStep]) -> Logistic:
    """Maximum a posteriori of intercept and slope, by Newton's steps; a falling slope becomes level."""
    counts: dict[float, tuple[float, float]] = {}
    for step in steps:
        right, whole = counts.get(step.score, (0.0, 0.0))
        counts[step.score] = (right + step.weight * step.right, whole + step.weight)
    intercept, slope = fit_logistic([((1.0, score), right, whole) for score, (right, whole) in counts.items()])
    if slope >= 0:
        return Logistic(intercept, slope)
    rate = min(0.999, max(0.001, _mean([(step.right, step.weight) for step in steps])))
    return Logistic(math.log(rate / (1 - rate)), 0.0)


def fit_logistic(rows: Sequence[tuple[Sequence[float], float, float]], ridge: float = _RIDGE) -> list[float]:
    """Coefficients of a logistic regression; a row has its features, how many of it are right, and how many there are.

    The first feature is the constant 1, and is not drawn to 0.
    """
    size = len(rows[0][0])
    at = [0.0] * size
    for _ in range(30):
        rise = [-ridge * value if place else 0.0 for place, value in enumerate(at)]
        bend = [[(ridge if i == j and i else 1e-9 if i == j else 0.0) for j in range(size)] for i in range(size)]
        for features, right, whole in rows:
            chance = sigmoid(sum(a * x for a, x in zip(at, features, strict=True)))
            slack, spread = right - whole * chance, whole * chance * (1 - chance)
            for i, x in enumerate(features):
                rise[i] += slack * x
                for j in range(i + 1):
                    bend[i][j] += spread * x * features[j]
        for i in range(size):
            for j in range(i):
                bend[j][i] = bend[i][j]
        moved = _solved(bend, rise)
        at = [value + max(-2.0, min(2.0, one)) for value, one in zip(at, moved, strict=True)]
        if max(map(abs, moved)) < 1e-8:
            break
    return at


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """By Gauss' elimination, the largest pivot first."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for place in range(size):
        pivot = max(range(place, size), key=lambda row: abs(rows[row][place]))
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for other in range(size):
            if other != place:
                factor = rows[other][place] / rows[place][place]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[place], strict=True)]
    return [rows[place][size] / rows[place][place] for place in range(size)]


@dataclass(frozen=True, slots=True)
class _Block:
    """Steps of like scores. `weight` has the pseudo-observations."""

    score: float
    chance: float
    weight: float

    @classmethod
    def of(cls, steps: Sequence[ScoredStep], rate: float) -> _Block:
        weight = sum(step.weight for step in steps)
        score = sum(step.weight * step.score for step in steps) / weight
        right = sum(step.weight * step.right for step in steps)
        return cls(score, (right + _PSEUDO * rate) / (weight + _PSEUDO), weight + _PSEUDO)

    def joined(self, other: _Block) -> _Block:
        weight = self.weight + other.weight
        return _Block(
            (self.score * self.weight + other.score * other.weight) / weight,
            (self.chance * self.weight + other.chance * other.weight) / weight,
            weight,
        )


def _parted(steps: Sequence[ScoredStep]) -> list[list[ScoredStep]]:
    """By score, in parts of about equal weight; equal scores stay together."""
    ordered = sorted(steps, key=lambda step: step.score)
    whole = sum(step.weight for step in ordered) / _BLOCKS
    parts: list[list[ScoredStep]] = []
    filled = whole
    for step in ordered:
        if filled >= whole and not (parts and parts[-1][-1].score == step.score):
            parts.append([])
            filled = 0.0
        parts[-1].append(step)
        filled += step.weight
    return parts


def _better(steps: Sequence[ScoredStep]) -> ScoreCurve:
    """The kind that is less surprised by folds it was not fitted to, fitted to all."""
    kinds: Sequence[Callable[[Sequence[ScoredStep]], ScoreCurve]] = (logistic, isotonic)
    surprise = [0.0 for _ in kinds]
    names = list(_by_problem(steps))
    for part in folds_of(names, min(FOLDS, len(names))):
        held = set(part)
        inside = [step for step in steps if step.problem not in held]
        for place, fit in enumerate(kinds):
            curve = fit(inside)
            surprise[place] += sum(
                step.weight * _surprise(curve.chance(step.score), step.right) for step in steps if step.problem in held
            )
    return kinds[min(range(len(kinds)), key=surprise.__getitem__)](steps)


def _surprise(chance: float, right: bool) -> float:
    return -math.log(max(1e-6, chance if right else 1 - chance))


def _by_problem(steps: Sequence[ScoredStep]) -> Mapping[str, list[ScoredStep]]:
    groups: dict[str, list[ScoredStep]] = {}
    for step in steps:
        groups.setdefault(step.problem, []).append(step)
    return groups


_Row = tuple[float, bool, float]


def _estimate(groups: Sequence[Sequence[_Row]], value: Callable[[Sequence[_Row]], float]) -> IntervalEstimate:
    dice = random.Random(0)
    whole = value([row for group in groups for row in group])
    drawn = [value([row for group in dice.choices(groups, k=len(groups)) for row in group]) for _ in range(_RESAMPLES)]
    low, high = ends(drawn)
    return IntervalEstimate(whole, min(low, whole), max(high, whole))


def _brier(rows: Sequence[_Row]) -> float:
    return _mean([((chance - right) ** 2, weight) for chance, right, weight in rows])


def _ece(rows: Sequence[_Row]) -> float:
    ordered = sorted(rows, key=lambda row: row[0])
    whole = sum(weight for _, _, weight in ordered)
    gap, filled, bins, current = 0.0, 0.0, 1, 0.0
    for chance, right, weight in ordered:
        current += weight * (chance - right)
        filled += weight
        if filled >= whole * bins / _BINS:
            gap, current, bins = gap + abs(current), 0.0, bins + 1
    return (gap + abs(current)) / whole


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)
