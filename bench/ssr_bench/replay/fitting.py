"""A prior fitted to a pool with known answers: few parameters, each drawn to the defaults where little is known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ssr.core.evidence.prior import Fluency, Length, PathAuthor, Prior, Sign, Skill
from ssr_bench.replay.pool import PooledProblem, Sample

#: Concentrations of wrong answers that are distinguished: traps, usual problems, scattered guesses.
CONCENTRATIONS = (1.0, 4.0, 24.0)
#: Observations that a default weighs as much as.
_PSEUDO = 10.0
_ROUNDS = 400
#: The most that a false sum may say: that none was seen in a right path is not that none ever will be.
_STRONGEST = -4.0
_STEEPEST = 8.0


def fit_prior(problems: Sequence[PooledProblem]) -> Prior:
    """The maximum a posteriori of skills, correlation, concentrations and signs.

    The verified author, of whom a pool has no samples, is put half-way between the others.
    """
    length = _length(problems)
    counts = Counter(
        _Count(
            sum(one.right for one in p.drafts),
            len(p.drafts),
            sum(one.right for one in p.targets),
            len(p.targets),
            length.strangeness([one.tokens for one in p.drafts or p.targets]),
        )
        for p in problems
    )
    at = _least(lambda at: _surprise(at, counts, length), [0.0, 0.7, 1.0, 0.7, 1.2])
    length = min(
        (replace(length, correlation=number / 10) for number in range(6)),
        key=lambda one: _surprise(at, counts, one) + _PSEUDO * (one.correlation - length.correlation) ** 2,
    )
    mean_d, log_d, mean_t, log_t, bend = at
    draft, target = Skill(mean_d, math.exp(log_d)), Skill(mean_t, math.exp(log_t))
    middle = Skill((draft.mean + target.mean) / 2, (draft.spread + target.spread) / 2)
    skills = {PathAuthor.DRAFT: draft, PathAuthor.VERIFIED: middle, PathAuthor.TARGET: target}
    fluency = {
        author: one
        for author, samples in (
            (PathAuthor.DRAFT, [problem.drafts for problem in problems]),
            (PathAuthor.TARGET, [problem.targets for problem in problems]),
        )
        if (one := _fluency(samples, Prior().fluency[author].slope)) is not None
    }
    return Prior(skills, abs(math.tanh(bend)), _concentrations(problems), _sign(problems), fluency, length)


class _Count(NamedTuple):
    """How many samples of each author are right, of how many, and how much longer than usual they are."""

    right_d: int
    all_d: int
    right_t: int
    all_t: int
    strangeness: float


def _length(problems: Sequence[PooledProblem]) -> Length:
    """Mean and spread over problems of the drafts' mean log length, or the target's where there are no drafts."""
    logs = []
    for problem in problems:
        counts = [one.tokens for one in problem.drafts or problem.targets if one.tokens > 0]
        logs += [math.fsum(map(math.log, counts)) / len(counts)] if counts else []
    mean = math.fsum(logs) / len(logs)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in logs) / len(logs))
    return Length(mean, max(spread, 0.05))


def _surprise(at: Sequence[float], counts: Counter[_Count], length: Length) -> float:
    """Minus the log posterior of the skills, up to a constant."""
    mean_d, log_d, mean_t, log_t, bend = at
    if max(map(abs, at)) > 15 or max(log_d, log_t) > 2.5:
        return math.inf
    prior = Prior(
        {PathAuthor.DRAFT: Skill(mean_d, math.exp(log_d)), PathAuthor.TARGET: Skill(mean_t, math.exp(log_t))},
        abs(math.tanh(bend)),
        length=length,
    )
    nodes = {
        one: [(weight, chances[PathAuthor.DRAFT], chances[PathAuthor.TARGET]) for weight, chances in prior.nodes(one)]
        for one in {count.strangeness for count in counts}
    }
    loss = (log_d - 0.5) ** 2 + (log_t - 0.5) ** 2 + (bend - 1) ** 2
    for (right_d, all_d, right_t, all_t, strangeness), times in counts.items():
        chance = math.fsum(
            w * d**right_d * (1 - d) ** (all_d - right_d) * t**right_t * (1 - t) ** (all_t - right_t)
            for w, d, t in nodes[strangeness]
        )
        loss -= times * math.log(max(chance, 1e-300))
    return loss


def _concentrations(problems: Sequence[PooledProblem]) -> tuple[tuple[float, float], ...]:
    """How often problems have each concentration, by expectation-maximisation."""
    default = dict((concentration, weight) for weight, concentration in Prior().wrong)
    weights = [default[concentration] for concentration in CONCENTRATIONS]
    falls = [[_fall(problem, one) for one in CONCENTRATIONS] for problem in problems]
    for _ in range(100):
        mass = [default[one] * _PSEUDO for one in CONCENTRATIONS]
        for chances in falls:
            total = math.fsum(w * c for w, c in zip(weights, chances, strict=True))
            for place, chance in enumerate(chances):
                mass[place] += weights[place] * chance / total
        weights = [one / math.fsum(mass) for one in mass]
    return tuple(zip(weights, CONCENTRATIONS, strict=True))


def _fall(problem: PooledProblem, concentration: float) -> float:
    """The chance that the problem's wrong answers agree as they do."""
    wrong = [one.answer for one in (*problem.drafts, *problem.targets) if one.answer and not one.right]
    sizes = Counter(wrong).values()
    value = math.prod(concentration * math.gamma(size) for size in sizes)
    return value / math.prod(concentration + placed for placed in range(len(wrong)))


def _sign(problems: Sequence[PooledProblem]) -> Sign:
    """What a false sum says, of both authors together."""
    default = Prior().false_sum
    # The shares that the default stands for, as pseudo-observations.
    wrong_share = (1 - math.exp(default.unseen)) / (math.exp(default.seen) - math.exp(default.unseen))
    right_share = wrong_share * math.exp(default.seen)
    samples = [one for problem in problems for one in (*problem.drafts, *problem.targets)]
    right, wrong = (
        _share([one for one in samples if one.right is is_right], share)
        for is_right, share in ((True, right_share), (False, wrong_share))
    )
    return Sign(max(math.log(right / wrong), _STRONGEST), math.log((1 - right) / (1 - wrong)))


def _share(samples: Sequence[Sample], default: float) -> float:
    return (sum(one.false_sum for one in samples) + default * _PSEUDO) / (len(samples) + _PSEUDO)


def _fluency(groups: Sequence[Sequence[Sample]], default: float) -> Fluency | None:
    """The slope that distinguishes right from wrong samples of the same problem (conditional logistic regression).

    A problem weighs as its rarer kind has samples, and the default as ten times `_PSEUDO` of them. None without log
    probabilities.
    """
    known = [[(math.log(one.confidence), one.right) for one in group if one.confidence] for group in groups]
    values = [value for group in known for value, _ in group]
    if not values:
        return None
    pairs = []
    for group in known:
        rights, wrongs = ([value for value, is_right in group if is_right is kind] for kind in (True, False))
        weight = min(len(rights), len(wrongs)) / max(1, len(rights) * len(wrongs))
        pairs += [(right - wrong, weight) for right in rights for wrong in wrongs]
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / len(values) + 1e-9
    slope = default
    for _ in range(50):  # Newton's steps, halved
        doubts = [(gap, weight, 1 / (1 + math.exp(min(500.0, slope * gap)))) for gap, weight in pairs]
        rise = math.fsum(w * gap * doubt for gap, w, doubt in doubts) - 10 * _PSEUDO * spread * (slope - default)
        bend = math.fsum(w * gap * gap * doubt * (1 - doubt) for gap, w, doubt in doubts) + 10 * _PSEUDO * spread
        slope += 0.5 * rise / bend
    return Fluency(mean, max(0.0, min(slope, _STEEPEST)))


def _least(loss: Callable[[Sequence[float]], float], start: Sequence[float]) -> list[float]:
    """The point of least loss by the downhill simplex (Nelder and Mead 1965)."""
    size = len(start)
    points = [list(start)] + [[x + 0.5 * (i == j) for j, x in enumerate(start)] for i in range(size)]
    losses = [loss(point) for point in points]
    for _ in range(_ROUNDS):
        order = sorted(range(size + 1), key=losses.__getitem__)
        points, losses = [points[i] for i in order], [losses[i] for i in order]
        if losses[-1] - losses[0] < 1e-5:
            break
        centre = [sum(point[j] for point in points[:-1]) / size for j in range(size)]
        moved = _moved(loss, points, losses, centre)
        if moved is None:
            points = [[(a + b) / 2 for a, b in zip(point, points[0], strict=True)] for point in points]
            losses = [loss(point) for point in points]
        else:
            points[-1], losses[-1] = moved
    return points[min(range(size + 1), key=losses.__getitem__)]


def _moved(
    loss: Callable[[Sequence[float]], float], points: list[list[float]], losses: list[float], centre: list[float]
) -> tuple[list[float], float] | None:
    """Where the worst point goes: reflected, further, or half-way in; None: all shrink."""

    def at(factor: float) -> tuple[list[float], float]:
        point = [c + factor * (w - c) for c, w in zip(centre, points[-1], strict=True)]
        return point, loss(point)

    reflected = at(-1.0)
    if reflected[1] < losses[0]:
        return min(at(-2.0), reflected, key=lambda one: one[1])
    if reflected[1] < losses[-2]:
        return reflected
    inside = at(0.5)
    return inside if inside[1] < losses[-1] else None
