"""The numbers that the figures draw. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssr.core.types import MAX_SCORE, Mode, Source, StopRule
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import Estimate, wilson

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
    x: Estimate


@dataclass(frozen=True, slots=True)
class Histogram:
    """The scores that one scorer gave to drafts: the share of all in each bar, and in it and those below."""

    scorer: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    cumulative: tuple[float, ...]
    count: int
    thresholds: tuple[float, ...]


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
    scores: dict[str, list[float]] = {}
    thresholds: dict[str, set[float]] = {}
    for one in results:
        for record in one.records if one.cell.mode.drafts else ():
            name = scorer_of(record)
            found = [score for path in record.paths for step in path.steps if (score := step.judged_score) is not None]
            scores.setdefault(name, []).extend(found)
            thresholds.setdefault(name, set()).update({one.threshold} - {None})  # type: ignore[arg-type]
    return [_histogram(name, found, thresholds[name]) for name, found in scores.items() if found]


def scorer_of(record: Record) -> str:
    """The scorer by name, as far as the job names it."""
    return (record.options.scorer if record.options else "") or record.cell.scorer or UNNAMED


def rewrite_rates(result: CellResult) -> list[tuple[int, Estimate]]:
    """For each step index from 0, the share of drafts that were written again; up to where few paths come."""
    counts: dict[int, list[bool]] = {}
    for record in result.records:
        for path in record.paths:
            for step in path.steps:
                if step.judged_score is not None:
                    counts.setdefault(step.index, []).append(step.source is Source.REWRITTEN)
    return [
        (index, wilson(sum(found) / len(found), len(found)))
        for index, found in sorted(counts.items())
        if len(found) >= MIN_STEPS
    ]


def answered_by(result: CellResult) -> tuple[list[float], list[float]]:
    """Seconds, and the share of all runs that had answered by then; those without an answer never do."""
    seconds = sorted(one.wall_s for one in result.records if one.answer and one.wall_s is not None)
    return [0.0, *seconds], [number / len(result.records) for number in range(len(seconds) + 1)]


def _histogram(name: str, scores: Sequence[float], thresholds: set[float]) -> Histogram:
    bars = int(MAX_SCORE) * BARS_A_POINT
    counts = [0] * bars
    for score in scores:
        counts[min(bars - 1, int(score * BARS_A_POINT))] += 1
    shares = [count / len(scores) for count in counts]
    running = [sum(counts[: number + 1]) / len(scores) for number in range(bars)]
    edges = [number / BARS_A_POINT for number in range(bars + 1)]
    return Histogram(name, tuple(edges), tuple(shares), tuple(running), len(scores), tuple(sorted(thresholds)))
