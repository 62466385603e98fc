"""What pays for a pair of models: candidates tried by cross-validation, the cheapest one that is accurate enough.

Accurate enough is, on the whole pool, not below the vote of all the target's paths, and on no set more than a point
below one path of the target. Drafting pays where the best cascade is cheaper than the best way without drafts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Entry, Suggestion
from ssr_bench.evaluation.held_out import folds_of
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.replay.fitting import fit_prior
from ssr_bench.replay.method import ReplayMethod, read_method
from ssr_bench.replay.pool import PooledProblem, groups_of
from ssr_bench.replay.replaying import Replayed
from ssr_bench.replay.summary import Replays, bootstrap, priors_of, replay_all

FOLDS = 5
#: What accuracy may be given up to one path of the target, on a set, as a share.
TOLERANCE = 0.01
#: Drafting must save so much, as a share of the cost without it: less is within the noise, and one more thing to run.
WORTHWHILE = 0.03
#: Fewer problems fit nothing.
MIN_PROBLEMS = 30
_GAINS = (0.02, 0.03, 0.04, 0.05)


@dataclass(frozen=True, slots=True)
class TriedMethod:
    """A method as tried: `total` is its cost in mean target paths, the draft's tokens at their price included."""

    method: ReplayMethod
    accuracy: float
    target: float
    total: float
    good: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """The choice made on some folds, as it came out on the others.

    `accuracy` with its interval, and `gain` above the vote of all the target's paths: differences of shares. `total` is
    the cost in mean target paths, `saved` the part of the best way without drafts that the best way with drafts saves
    (None: no drafts). Intervals are bootstraps over problems.
    """

    folds: int
    problems: int
    accuracy: IntervalEstimate
    gain: IntervalEstimate
    total: IntervalEstimate
    saved: IntervalEstimate | None

    def no_loss(self, margin: float) -> bool:
        """Whether it is shown, one-sided at 2.5 %, that less than `margin` of the vote's accuracy is lost."""
        return self.gain.low > -margin


@dataclass(frozen=True, slots=True)
class PairCalibration:
    """`entry` is what the file gets; `reason` says why drafting pays, or why not; `vote` and `alone`: accuracies.

    `judged`: what such a choice comes to on problems that had no part in it.
    """

    entry: Entry
    candidates: tuple[TriedMethod, ...]
    vote: float
    alone: float
    drafting_pays: bool
    reason: str
    judged: Judged | None = None


def calibrate_pair(
    problems: Sequence[PooledProblem],
    draft_cost: float,
    names: Entry,
    *,
    orders: int = 4,
    progress: Callable[[], None] = lambda: None,
) -> PairCalibration:
    """The prior and the suggestion for a pool; `names` has the models' and the domain's.

    Raises: InvalidRequest when the pool is too small.
    """
    if len(problems) < MIN_PROBLEMS:
        raise InvalidRequest("dir", f"has {len(problems)} problems with samples; at least {MIN_PROBLEMS} are needed")
    targets = min(4, *(len(problem.targets) for problem in problems))
    drafts = min(4, *(len(problem.drafts) for problem in problems))
    if targets < 2:
        raise InvalidRequest("dir", "has problems with fewer than 2 samples of the target")
    methods = _methods(drafts, targets)
    fixed, alone = read_method(f"fixed:targets={targets}"), read_method("target-alone")
    prior_of = priors_of(problems, None, FOLDS)
    replays = replay_all(problems, [*methods, fixed, alone], prior_of, orders, 0, progress, rivals=False)
    vote, single = _accuracy(replays[fixed.label]), _accuracy(replays[alone.label])
    candidates = tuple(_candidate(one, replays, problems, draft_cost, vote, replays[alone.label]) for one in methods)
    best, pays, reason = _choice(candidates)
    suggestion = Suggestion(
        best.method.drafts, best.method.drafts + targets, best.method.rule.confidence, best.method.rule.min_gain
    )
    note = f"fitted to {len(problems)} problems of {', '.join(groups_of(problems))}; {reason}"
    entry = Entry(fit_prior(problems), names.draft, names.target, names.domain, suggestion, note)
    judged = _judged(methods, replays, problems, draft_cost, fixed, alone)
    return PairCalibration(entry, candidates, vote, single, pays, reason, judged)


def _methods(drafts: int, targets: int) -> list[ReplayMethod]:
    cascades = [
        read_method(f"cascade:drafts={count},targets={targets},min_gain={gain}")
        for count in range(2, drafts + 1)
        for gain in _GAINS
    ]
    return [*cascades, *(read_method(f"target-evidence:targets={targets},min_gain={gain}") for gain in _GAINS)]


def _costs(rows: Sequence[Replayed], problems: Sequence[PooledProblem]) -> tuple[list[float], list[float]]:
    """What the target and the draft wrote for each problem, in mean target paths of its set."""
    lengths = {
        group: sum(s.tokens for p in members for s in p.targets) / sum(len(p.targets) for p in members)
        for group, members in groups_of(problems).items()
    }
    paths = [lengths[problem.group] for problem in problems]
    return (
        [row.target_tokens / path for row, path in zip(rows, paths, strict=True)],
        [row.draft_tokens / path for row, path in zip(rows, paths, strict=True)],
    )


def _candidate(
    method: ReplayMethod,
    replays: Replays,
    problems: Sequence[PooledProblem],
    draft_cost: float,
    vote: float,
    alone: Sequence[Replayed],
) -> TriedMethod:
    rows = replays[method.label]
    targets, drafts = _costs(rows, problems)
    target, draft = sum(targets) / len(rows), sum(drafts) / len(rows)
    good = _accuracy(rows) >= vote and all(
        _accuracy([rows[i] for i in members]) >= _accuracy([alone[i] for i in members]) - TOLERANCE
        for members in _indices(problems)
    )
    return TriedMethod(method, _accuracy(rows), target, target + draft_cost * draft, good)


def _judged(
    methods: Sequence[ReplayMethod],
    replays: Replays,
    problems: Sequence[PooledProblem],
    draft_cost: float,
    fixed: ReplayMethod,
    alone: ReplayMethod,
) -> Judged:
    """Choose on all folds but one, look at that one.

    A problem's prior is fitted to other problems alone, but those may be of the fold that is looked at.
    """
    names = [f"{problem.group}/{problem.id}" for problem in problems]
    places = {name: place for place, name in enumerate(names)}
    right, total, gain, ours, others = [], [], [], [], []
    parts = folds_of(names, FOLDS)
    spent = {}
    for method in methods:
        targets, drafts = _costs(replays[method.label], problems)
        spent[method] = [t + draft_cost * d for t, d in zip(targets, drafts, strict=True)]
    for part in parts:
        held = {places[name] for name in part}
        inside = [place for place in range(len(names)) if place not in held]
        some = {label: [rows[place] for place in inside] for label, rows in replays.items()}
        known, vote = [problems[place] for place in inside], _accuracy(some[fixed.label])
        tried = [_candidate(one, some, known, draft_cost, vote, some[alone.label]) for one in methods]
        (cascade, without), (best, _, _) = _best(tried), _choice(tried)
        for place in held:
            row = replays[best.method.label][place]
            right.append(row.right)
            gain.append(row.right - replays[fixed.label][place].right)
            total.append(spent[best.method][place])
            ours.append(spent[cascade.method][place] if cascade else 0.0)
            others.append(spent[without.method][place])
    count = len(right)
    saved = None
    if any(method.drafts for method in methods):
        saved = bootstrap(count, lambda at: 1 - _mean_of(ours, at) / _mean_of(others, at))
    accuracy, gained, cost = (bootstrap(count, partial(_mean_of, values)) for values in (right, gain, total))
    return Judged(len(parts), count, accuracy, gained, cost, saved)


def _mean_of(values: Sequence[float], chosen: Sequence[int]) -> float:
    return sum(values[place] for place in chosen) / len(chosen)


def _best(candidates: Sequence[TriedMethod]) -> tuple[TriedMethod | None, TriedMethod]:
    """The best with drafts, if there are any, and the best without: the cheapest good one, else the most accurate."""
    cascade, without = (
        min(kind, key=lambda one: (not one.good, one.total if one.good else -one.accuracy), default=None)
        for kind in (
            [one for one in candidates if one.method.drafts],
            [one for one in candidates if not one.method.drafts],
        )
    )
    assert without is not None
    return cascade, without


def _choice(candidates: Sequence[TriedMethod]) -> tuple[TriedMethod, bool, str]:
    """The suggested candidate, whether drafting pays, and why."""
    cascade, without = _best(candidates)
    if cascade is None:
        return without, False, "no drafts were recorded; the target votes alone, as long as the votes leave doubt"
    costs = f"{cascade.total:.2f} target paths with drafts, {without.total:.2f} without, at {cascade.accuracy:.1%} and "
    costs += f"{without.accuracy:.1%} right"
    if cascade.good and (not without.good or cascade.total < without.total * (1 - WORTHWHILE)):
        return cascade, True, f"drafting pays: {costs}"
    why = "no setting with drafts is accurate enough" if not cascade.good else "it saves too little"
    return without, False, f"drafting does not pay, {why}: {costs}; the target votes alone, while the votes leave doubt"


def _accuracy(rows: Sequence[Replayed]) -> float:
    return sum(row.right for row in rows) / len(rows)


def _indices(problems: Sequence[PooledProblem]) -> list[list[int]]:
    """The positions of each set's problems."""
    found: dict[str, list[int]] = {}
    for number, problem in enumerate(problems):
        found.setdefault(problem.group, []).append(number)
    return list(found.values())
