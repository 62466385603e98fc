"""The numbers that the figures draw. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssr.core.types import MAX_SCORE, Mode, Source, StopRule
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import IntervalEstimate, effective_trials, wilson

#: A histogram's bars a point of score.
BARS_A_POINT = 2
#: A scorer that the jobs do not name.
UNNAMED = "the server's scorer"
#: A share of fewer steps than this is not drawn.
MIN_STEPS = 5


@dataclass(frozen=True, slots=True)
class Point:
    """A cell in the plane of compute and accuracy. `x` is a ratio to the baseline."""

    result: CellResult
    x: IntervalEstimate


@dataclass(frozen=True, slots=True)
class Histogram:
    """The scores that one scorer gave to drafts: the share of all in each bar, and in it and those below.

    `intervals` are those of the shares; drafts of one problem count for what their likeness leaves them worth.
    """

    scorer: str
    edges: tuple[float, ...]
    intervals: tuple[IntervalEstimate, ...]
    cumulative: tuple[float, ...]
    count: int
    thresholds: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(one.value for one in self.intervals)


def by_dataset(results: Sequence[CellResult]) -> Mapping[str, list[CellResult]]:
    """The results of each data set, by its name, in their order."""
    groups: dict[str, list[CellResult]] = {}
    for one in results:
        groups.setdefault(one.records[0].dataset, []).append(one)
    return groups


def problems_of(results: Sequence[CellResult]) -> int:
    """How many problems the runs are of."""
    return len({record.problem_id for one in results for record in one.records})


def shares_of(result: CellResult, shares: Sequence[float]) -> list[IntervalEstimate]:
    """Shares of a cell's runs with their intervals, repeats of a problem counting as one run."""
    return [wilson(share, problems_of([result])) for share in shares]


def compute_points(results: Sequence[CellResult], ratio: str) -> list[Point]:
    """The cells whose `ratio` ("decode_ratio" or "total_ratio") is known."""
    return [Point(one, x) for one in results if (x := getattr(one, ratio)) is not None]


def path_lines(results: Sequence[CellResult]) -> Mapping[str, list[CellResult]]:
    """Cells that differ in the number of paths only, by what they have in common; fewer than two are no line.

    One path stops by any rule, so such a cell begins the lines of all rules; the baseline is one path of mode parallel.
    """
    lines: dict[str, list[CellResult]] = {}
    first = [one for one in results if one.paths == 1]
    for one in results:
        if one.paths > 1:
            name = one.label.replace(f"{one.cell.mode}-{one.paths}", str(one.cell.mode), 1)
            lines.setdefault(name, []).append(one)
    for line in lines.values():
        begins = sorted((one for one in first if _begins(one, line[0])), key=lambda one: one.cell.mode is Mode.BASELINE)
        line[:] = [*begins[:1], *sorted(line, key=lambda one: one.paths)]
    return {name: line for name, line in lines.items() if len(line) > 1}


def _begins(single: CellResult, line: CellResult) -> bool:
    """Whether a cell of one path is, but for their number, what the line's cells are."""
    mode = Mode.PARALLEL if single.cell.mode is Mode.BASELINE else single.cell.mode
    alike = {"mode": mode, "paths": None, "stop_rule": None}
    return single.evaluation == line.evaluation and single.cell.model_copy(update=alike) == line.cell.model_copy(
        update={"paths": None, "stop_rule": None}
    )


def spm_pairs(results: Sequence[CellResult]) -> list[tuple[CellResult, CellResult]]:
    """The cells that differ in the selection of strategies only: without it, with it."""

    def key(one: CellResult) -> tuple[str, int, StopRule | None]:
        return one.evaluation, one.paths, one.cell.stop_rule

    without = {key(one): one for one in results if one.cell.mode is Mode.PARALLEL}
    return [(without[key(one)], one) for one in results if one.cell.mode is Mode.PARALLEL_SPM and key(one) in without]


def score_histograms(results: Sequence[CellResult]) -> list[Histogram]:
    """One for each scorer, over all steps that it judged."""
    scores: dict[str, dict[str, list[float]]] = {}
    thresholds: dict[str, set[float]] = {}
    for one in results:
        for record in one.records if one.cell.mode.drafts else ():
            name = scorer_of(record)
            found = [score for path in record.paths for step in path.steps if (score := step.judged_score) is not None]
            scores.setdefault(name, {}).setdefault(record.problem_id, []).extend(found)
            thresholds.setdefault(name, set()).update({one.threshold} - {None})  # type: ignore[arg-type]
    return [_histogram(name, found, thresholds[name]) for name, found in scores.items() if any(found.values())]


def scorer_of(record: Record) -> str:
    """The scorer by name, as far as the job names it."""
    return (record.options.scorer if record.options else "") or record.cell.scorer or UNNAMED


def rewrite_rates(result: CellResult) -> list[tuple[int, IntervalEstimate]]:
    """For each step index from 0, the share of drafts that were written again; up to where few paths come."""
    counts: dict[int, dict[str, list[bool]]] = {}
    for record in result.records:
        for path in record.paths:
            for step in path.steps:
                if step.judged_score is not None:
                    problems = counts.setdefault(step.index, {})
                    problems.setdefault(record.problem_id, []).append(step.source is Source.REWRITTEN)
    rates = [(index, list(groups.values())) for index, groups in sorted(counts.items())]
    return [
        (index, wilson(sum(map(sum, groups)) / count, effective_trials(groups)))
        for index, groups in rates
        if (count := sum(map(len, groups))) >= MIN_STEPS
    ]


def answered_by(result: CellResult) -> tuple[list[float], list[float]]:
    """Seconds, and the share of all runs that had answered by then; those without an answer never do."""
    seconds = sorted(one.wall_s for one in result.records if one.answer and one.wall_s is not None)
    return [0.0, *seconds], [number / len(result.records) for number in range(len(seconds) + 1)]


def _histogram(name: str, problems: Mapping[str, Sequence[float]], thresholds: set[float]) -> Histogram:
    bars = int(MAX_SCORE) * BARS_A_POINT
    groups = [[min(bars - 1, int(score * BARS_A_POINT)) for score in found] for found in problems.values() if found]
    count = sum(map(len, groups))
    counts = Counter(bar for group in groups for bar in group)
    shares = [
        wilson(counts[bar] / count, effective_trials([[one == bar for one in group] for group in groups]))
        for bar in range(bars)
    ]
    running = [sum(counts[bar] for bar in range(last + 1)) / count for last in range(bars)]
    edges = [bar / BARS_A_POINT for bar in range(bars + 1)]
    return Histogram(name, tuple(edges), tuple(shares), tuple(running), count, tuple(sorted(thresholds)))
