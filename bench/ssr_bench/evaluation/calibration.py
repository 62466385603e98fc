"""How well scores distinguish right paths from wrong ones, and what other thresholds would have done.

A path's steps are known at the threshold it ran with. At another one they are known too where no score lies between the
two: every draft would have been accepted or rejected as it was. Of the other paths nothing can be reported but bounds.

Scores are compared within one way of solving alone: a scorer in one mode under one stop rule on one data set. Paths
that a stop rule stopped are left out, and where there are such paths, those that are left are the quick ones: what is
reported of them is conditioned on that, and no threshold is suggested from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ssr.core.acceptance import accepts
from ssr.core.types import MAX_SCORE, Call, CallKind, Mode, PathStatus, Source
from ssr_bench.evaluation.accounting import decode_flops
from ssr_bench.evaluation.record import PathRecord, Record
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.series import scorer_of
from ssr_bench.evaluation.statistics import IntervalEstimate, auc_estimate, effective_trials, wilson
from ssr_bench.report_json import UNREPORTED

#: Paths in a bin of the reliability curve, and bins at most.
BIN_PATHS, MAX_BINS = 10, 10
#: Thresholds that are tried.
THRESHOLDS = tuple(number / 2 for number in range(int(MAX_SCORE) * 2 + 1))
#: A path that was stopped or failed says nothing about its steps.
_UNTOLD = frozenset({PathStatus.STOPPED, PathStatus.FAILED, PathStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Stratum:
    """What calibrations are never mixed over: who judged, in which mode and stop rule, on which data set."""

    scorer: str
    mode: Mode
    stop_rule: str
    dataset: str

    def __str__(self) -> str:
        rule = "" if self.mode.single_path else f", stop rule {self.stop_rule}"
        return f"{self.scorer}, {self.mode}{rule}, {self.dataset}"

    @classmethod
    def of(cls, record: Record) -> Stratum:
        rule = record.options.stop_rule if record.options else record.cell.stop_rule
        single = record.cell.mode.single_path
        return cls(scorer_of(record), record.cell.mode, "" if single else str(rule or ""), record.dataset)


@dataclass(frozen=True, slots=True)
class ScoredPath:
    """A path that came to its end. `scores` are those of all its judged drafts, in order; `mean` is what votes count,
    where a rewrite has 9. `calls` are the engine calls that it took."""

    problem: str
    correct: bool
    threshold: float
    scores: tuple[float, ...]
    mean: float
    calls: tuple[Call, ...] = ()

    def decided_alike(self, threshold: float) -> bool:
        """Whether this threshold would have accepted and rejected the same drafts."""
        return all(accepts(score, threshold) == accepts(score, self.threshold) for score in self.scores)


#: The ways to make one score of a path's.
PREDICTORS: Mapping[str, Callable[[ScoredPath], float]] = {
    "mean of drafts": lambda path: sum(path.scores) / len(path.scores),
    "lowest draft": lambda path: min(path.scores),
    "last draft": lambda path: path.scores[-1],
    "mean of the path, a rewrite 9": lambda path: path.mean,
}


@dataclass(frozen=True, slots=True)
class Bin:
    """Paths of like scores: their mean score, and how many of them are right."""

    score: float
    right: IntervalEstimate
    paths: int


@dataclass(frozen=True, slots=True)
class Tried:
    """A threshold as far as it can be reported.

    `rewritten`: the share of drafts it rejects. `known`: the share of paths it would not have changed, and `right` how
    many of those are right; `low` and `high` if all others were wrong, or right. `decode_ratio`: what a path would cost
    against a run of the baseline; None without one, or where a model's size is unknown.
    """

    threshold: float
    rewritten: float
    known: float
    right: IntervalEstimate
    low: float
    high: float
    decode_ratio: float | None


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """What one scorer's scores are worth in one stratum.

    `aucs` has the chance that a right path scores above a wrong one. `stopped` and `failed` paths are left out of all
    figures; `problems`: how many the paths are of. `scored` are the paths, and `baseline` the runs that costs are
    compared with.
    """

    stratum: Stratum
    problems: int
    paths: int
    stopped: int
    failed: int
    right: int
    aucs: Mapping[str, IntervalEstimate | None]
    reliability: tuple[Bin, ...]
    sweep: tuple[Tried, ...]
    scored: tuple[ScoredPath, ...] = field(default=(), repr=False, metadata=UNREPORTED)
    baseline: tuple[Record, ...] = field(default=(), repr=False, metadata=UNREPORTED)

    @property
    def scorer(self) -> str:
        return self.stratum.scorer

    @property
    def whole(self) -> bool:
        """Whether no path was stopped: only then are the paths those of all problems alike."""
        return not self.stopped


def calibrations(results: Sequence[CellResult]) -> tuple[ScoreCalibration, ...]:
    """One for each stratum in which paths were judged."""
    records: dict[Stratum, list[Record]] = {}
    for one in results:
        for record in one.records if one.cell.mode.drafts else ():
            records.setdefault(Stratum.of(record), []).append(record)
    baseline = [record for one in results if one.cell.mode is Mode.BASELINE for record in one.records]
    return tuple(
        _calibration(stratum, group, paths, [one for one in baseline if one.dataset == stratum.dataset])
        for stratum, group in records.items()
        if (paths := scored_paths(group))
    )


def scored_paths(records: Sequence[Record]) -> list[ScoredPath]:
    """The paths that ended by themselves, with at least one judged draft."""
    return [
        scored
        for record in records
        for path in record.paths
        if path.status not in _UNTOLD and record.options and (scored := _scored(record, path, record.options.threshold))
    ]


def reliability(paths: Sequence[ScoredPath], predictor: Callable[[ScoredPath], float]) -> tuple[Bin, ...]:
    """Bins of as many paths each, in rising order of their scores."""
    ordered = sorted(paths, key=predictor)
    bins = max(1, min(MAX_BINS, len(ordered) // BIN_PATHS))
    ends = [len(ordered) * number // bins for number in range(bins + 1)]
    return tuple(_bin(ordered[a:b], predictor) for a, b in pairwise(ends) if b > a)


def sweep(paths: Sequence[ScoredPath], baseline: Sequence[Record]) -> tuple[Tried, ...]:
    """All `THRESHOLDS`, tried on the paths."""
    costs = PathCost.of(paths, baseline)
    drafts = sorted(score for path in paths for score in path.scores)
    return tuple(_tried(threshold, paths, drafts, costs) for threshold in THRESHOLDS)


@dataclass(frozen=True, slots=True)
class PathCost:
    """Means of a path over those of a run of the baseline, in FLOPs of generated tokens: for its drafts and their
    scores, and for rewriting every one of its steps; `a_rewrite` is one step's."""

    fixed: float
    rewriting: float
    a_rewrite: float

    @classmethod
    def of(cls, paths: Sequence[ScoredPath], baseline: Sequence[Record]) -> PathCost | None:
        """None where nothing was measured to compare with, or a model's size is unknown."""
        bases = [flops for record in baseline if (flops := decode_flops(record)) is not None]
        calls = [call for path in paths for call in path.calls]
        if not bases or not calls or not all(call.parameters for call in calls):
            return None
        base, steps = sum(bases) / len(bases), sum(len(path.scores) for path in paths)
        rewrites = [call for call in calls if call.kind is CallKind.REWRITE]
        fixed = sum(
            2.0 * call.parameters * call.generated_tokens for call in calls if call.kind is not CallKind.REWRITE
        )
        # A rewrite is about as long as those that were made; where none was, as a draft.
        lengths = rewrites or [call for call in calls if call.kind is CallKind.DRAFT]
        length = sum(call.generated_tokens for call in lengths) / max(1, len(lengths))
        target = 2.0 * max(call.parameters for call in calls)
        return cls(fixed / len(paths) / base, steps / len(paths) * length * target / base, length * target / base)


def _tried(threshold: float, paths: Sequence[ScoredPath], drafts: Sequence[float], costs: PathCost | None) -> Tried:
    rewritten = sum(not accepts(score, threshold) for score in drafts) / len(drafts)
    known = [path for path in paths if path.decided_alike(threshold)]
    right = sum(path.correct for path in known)
    return Tried(
        threshold=threshold,
        rewritten=rewritten,
        known=len(known) / len(paths),
        right=share_right(known),
        low=right / len(paths),
        high=(right + len(paths) - len(known)) / len(paths),
        decode_ratio=None if costs is None else costs.fixed + rewritten * costs.rewriting,
    )


def _calibration(
    stratum: Stratum, records: Sequence[Record], paths: Sequence[ScoredPath], baseline: Sequence[Record]
) -> ScoreCalibration:
    groups = _by_problem(paths)
    aucs = {
        title: auc_estimate([[(score(path), path.correct) for path in group] for group in groups])
        for title, score in PREDICTORS.items()
    }
    ended = Counter(path.status for record in records for path in record.paths)
    return ScoreCalibration(
        stratum=stratum,
        problems=len(groups),
        paths=len(paths),
        stopped=ended[PathStatus.STOPPED] + ended[PathStatus.RUNNING],
        failed=ended[PathStatus.FAILED],
        right=sum(path.correct for path in paths),
        aucs=aucs,
        reliability=reliability(paths, PREDICTORS["mean of drafts"]),
        sweep=sweep(paths, baseline),
        scored=tuple(paths),
        baseline=tuple(baseline),
    )


def _by_problem(paths: Sequence[ScoredPath]) -> list[list[ScoredPath]]:
    groups: dict[str, list[ScoredPath]] = {}
    for path in paths:
        groups.setdefault(path.problem, []).append(path)
    return list(groups.values())


def share_right(paths: Sequence[ScoredPath]) -> IntervalEstimate:
    """How many of the paths are right; those of one problem count for as many trials as their likeness leaves them."""
    right = sum(path.correct for path in paths) / len(paths) if paths else 0.0
    return wilson(right, effective_trials([[path.correct for path in group] for group in _by_problem(paths)]))


def _scored(record: Record, path: PathRecord, threshold: float) -> ScoredPath | None:
    scores = tuple(score for step in path.steps if (score := step.judged_score) is not None)
    if not scores:
        return None
    counted = [MAX_SCORE if step.source is Source.REWRITTEN else step.score for step in path.steps]
    known = [score for score in counted if score is not None]
    calls = tuple(call for step in path.steps for call in step.calls)
    return ScoredPath(record.problem_id, path.correct, threshold, scores, sum(known) / len(known), calls)


def _bin(paths: Sequence[ScoredPath], predictor: Callable[[ScoredPath], float]) -> Bin:
    return Bin(sum(map(predictor, paths)) / len(paths), share_right(paths), len(paths))
