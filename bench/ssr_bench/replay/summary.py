"""What replays show: accuracy and cost of each method, with intervals over problems, and against two references."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ssr.core.evidence.prior import Prior
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.replay.fitting import fit_prior
from ssr_bench.replay.method import ReplayMethod, read_method
from ssr_bench.replay.pool import PooledProblem
from ssr_bench.replay.replaying import Replayed, Replayer

RESAMPLES = 1000
#: The rival: adaptive consistency of the target alone, from its first path to all of them.
RIVALS = ("target-alone", "adaptive-consistency", "adaptive-consistency:confidence=0.9", "fixed")


@dataclass(frozen=True, slots=True)
class Prices:
    """What a token of the draft costs in tokens of the target, and the models' sizes, 0 if unknown."""

    draft: float = 0.047
    draft_parameters: float = 0.0
    target_parameters: float = 0.0


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference in accuracy to the reference on the same problems, and the chance of one as large if there is none
    (sign-flip permutation over problems, two-sided)."""

    difference: IntervalEstimate
    p: float


@dataclass(frozen=True, slots=True)
class ReplayFigures:
    """One method on one set. Costs are in mean target paths of the set.

    `target`: the target's tokens; `total`: with the draft's at its price. `saving`: the part of the rival's cost that
    is saved at equal accuracy; `break_even`: the draft's price at which nothing is. `flops`: of generated tokens, and
    `seconds`: of engine time, a problem. None: not known.
    """

    method: str
    problems: int
    accuracy: IntervalEstimate
    target: IntervalEstimate
    total: IntervalEstimate
    target_paths: float
    against_reference: PairedDifference
    saving: IntervalEstimate | None
    break_even: float | None
    flops: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One set's figures; `draft_accuracy` and `target_accuracy` are those of single samples."""

    group: str
    draft_accuracy: float
    target_accuracy: float
    figures: tuple[ReplayFigures, ...]


Replays = Mapping[str, Sequence[Replayed]]


def priors_of(problems: Sequence[PooledProblem], prior: Prior | None, folds: int) -> Callable[[PooledProblem], Prior]:
    """Each problem's prior: the given one, or with `folds` one that is fitted to the other folds' problems alone."""
    if not folds:
        return lambda _: prior or Prior()
    ordered = sorted(problems, key=lambda problem: (problem.group, problem.id))
    random.Random(1).shuffle(ordered)
    parts = [ordered[number::folds] for number in range(folds)]
    fitted: dict[tuple[str, str], Prior] = {}
    for part in parts:
        inside = {(problem.group, problem.id) for problem in part}
        other = fit_prior([problem for problem in problems if (problem.group, problem.id) not in inside])
        fitted |= dict.fromkeys(inside, other)
    return lambda problem: fitted[problem.group, problem.id]


def replay_all(
    problems: Sequence[PooledProblem],
    methods: Sequence[ReplayMethod],
    prior_of: Callable[[PooledProblem], Prior],
    orders: int,
    seed: int,
    progress: Callable[[], None] = lambda: None,
    *,
    rivals: bool = True,
) -> dict[str, list[Replayed]]:
    """The replays of each method by its label, and of the rivals, in the order of the problems."""
    wanted = {method.label: method for method in (*methods, *(map(read_method, RIVALS) if rivals else ()))}
    replayers: dict[int, Replayer] = {}
    found: dict[str, list[Replayed]] = {label: [] for label in wanted}
    for problem in problems:
        prior = prior_of(problem)
        replayer = replayers.setdefault(id(prior), Replayer(prior, orders, seed))
        for label, method in wanted.items():
            found[label].append(replayer.replay(problem, method))
        progress()
    return found


def summarise(
    group: str, problems: Sequence[PooledProblem], replays: Replays, methods: Sequence[ReplayMethod], prices: Prices
) -> GroupSummary:
    """The first method is the reference of the paired tests."""
    targets = [one for problem in problems for one in problem.targets]
    drafts = [one for problem in problems for one in problem.drafts]
    path = sum(one.tokens for one in targets) / len(targets)
    rivals = [replays[read_method(text).label] for text in RIVALS]
    reference = replays[methods[0].label]
    return GroupSummary(
        group,
        sum(one.right for one in drafts) / len(drafts) if drafts else 0.0,
        sum(one.right for one in targets) / len(targets),
        tuple(_figures(method.label, replays[method.label], reference, rivals, path, prices) for method in methods),
    )


def _figures(
    label: str,
    rows: Sequence[Replayed],
    reference: Sequence[Replayed],
    rivals: Sequence[Sequence[Replayed]],
    path: float,
    prices: Prices,
) -> ReplayFigures:
    count = len(rows)
    indices = range(count)
    target = [row.target_tokens / path for row in rows]
    draft = [row.draft_tokens / path for row in rows]
    total = [t + prices.draft * d for t, d in zip(target, draft, strict=True)]
    right = [row.right for row in rows]
    frontier = [([row.right for row in rival], [row.target_tokens / path for row in rival]) for rival in rivals]

    def saving(chosen: Sequence[int]) -> float:
        points = [(_mean(rights, chosen), _mean(costs, chosen)) for rights, costs in frontier]
        return 1 - _mean(total, chosen) / cost_at(points, _mean(right, chosen))

    gaps = [one.right - other.right for one, other in zip(rows, reference, strict=True)]
    rival_cost = cost_at([(_mean(r, indices), _mean(c, indices)) for r, c in frontier], _mean(right, indices))
    drafted = _mean(draft, indices)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return ReplayFigures(
        label,
        count,
        bootstrap(count, lambda chosen: _mean(right, chosen)),
        bootstrap(count, lambda chosen: _mean(target, chosen)),
        bootstrap(count, lambda chosen: _mean(total, chosen)),
        _mean([row.target_paths for row in rows], indices),
        PairedDifference(bootstrap(count, lambda chosen: _mean(gaps, chosen)), _sign_flip(gaps)),
        bootstrap(count, saving),
        (rival_cost - _mean(target, indices)) / drafted if drafted else None,
        _flops(rows, prices),
        sum(seconds) / count if len(seconds) == count else None,
    )


def cost_at(points: Sequence[tuple[float, float]], accuracy: float) -> float:
    """The cost of reaching an accuracy on the line through (accuracy, cost) points, the cheapest first.

    Between two points a coin chooses which of them to follow. Above the best point, the cost of that; below the first,
    the first.
    """
    best, reached = points[0]
    if accuracy <= best:
        return reached
    for (low, cheap), (high, dear) in pairwise(_rising(points)):
        if accuracy <= high:
            return cheap + (dear - cheap) * (accuracy - low) / (high - low)
    return _rising(points)[-1][1]


def _rising(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that are better than all cheaper ones."""
    kept = [points[0]]
    for point in points[1:]:
        if point[0] > kept[-1][0]:
            kept.append(point)
    return kept


def _flops(rows: Sequence[Replayed], prices: Prices) -> float | None:
    if not prices.target_parameters or not prices.draft_parameters:
        return None
    spent = sum(
        row.target_tokens * prices.target_parameters + row.draft_tokens * prices.draft_parameters for row in rows
    )
    return 2.0 * spent / len(rows)


def bootstrap(count: int, value: Callable[[Sequence[int]], float]) -> IntervalEstimate:
    """The value on all problems, with the 95 % interval of a bootstrap over them."""
    dice = random.Random(0)
    drawn = sorted(value(dice.choices(range(count), k=count)) for _ in range(RESAMPLES))
    cut = int(RESAMPLES * 0.025)
    return IntervalEstimate(value(range(count)), drawn[cut], drawn[-1 - cut])


def _sign_flip(gaps: Sequence[float]) -> float:
    """How often differences with signs by chance are as large in sum."""
    wanted = abs(sum(gaps)) - 1e-9
    differing = [gap for gap in gaps if gap]
    if not differing:
        return 1.0
    dice = random.Random(0)
    as_large = sum(
        abs(sum(gap if dice.random() < 0.5 else -gap for gap in differing)) >= wanted for _ in range(RESAMPLES)
    )
    return (as_large + 1) / (RESAMPLES + 1)


def _mean(values: Sequence[float], chosen: Sequence[int]) -> float:
    return sum(values[i] for i in chosen) / len(chosen)
