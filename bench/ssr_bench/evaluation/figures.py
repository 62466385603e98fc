"""The figures: a row of panels for each data set, with captions, and the rows that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssr_bench.evaluation import series
from ssr_bench.evaluation.canvas import Drawing, Row, blank, legend, number
from ssr_bench.evaluation.panels import Draw, against, answered_by_time, by_paths, by_selection, rewrites, scores
from ssr_bench.evaluation.results import CellResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INTERVAL = ("value", "low", "high")


@dataclass(frozen=True, slots=True)
class _Panel:
    """What one axes of a data set shows; `has` says whether there is data for it."""

    title: str
    draw: Draw
    has: Callable[[Sequence[CellResult]], bool]


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    caption: str
    columns: tuple[str, ...]
    panels: tuple[_Panel, ...]
    height: float = 4.4


def drawings(results: Sequence[CellResult]) -> tuple[tuple[Drawing, ...], tuple[str, ...]]:
    """The figures that the results have data for, and the captions of those they have none for."""
    drawn, missing = [], []
    for kind in _KINDS:
        drawing = _drawn(kind, results)
        if drawing is None:
            missing.append(kind.caption)
        else:
            drawn.append(drawing)
    return tuple(drawn), tuple(missing)


def _drawn(kind: _Kind, results: Sequence[CellResult]) -> Drawing | None:
    """A row of axes for each data set."""
    groups = {name: group for name, group in series.by_dataset(results).items() if _any(kind, group)}
    if not groups:
        return None
    columns, count = len(kind.panels), len(groups)
    figure, all_axes = blank(columns, 4.0 + 5.4 * columns, kind.height * count, rows=count)
    rows: list[Row] = []
    for place, (name, group) in enumerate(groups.items()):
        for column, panel in enumerate(kind.panels):
            axes = all_axes[place * columns + column]
            title = f"{name}, {series.problems_of(group)} problems"
            axes.set_title(f"{title}: {panel.title}" if panel.title else title, fontsize=10, loc="left")
            if panel.has(group):
                rows += [(name, *([panel.title] if columns > 1 else []), *row) for row in panel.draw(axes, group)]
            if column == columns - 1:
                legend(axes)
    if kind.name == "accuracy-compute":
        _number(all_axes, list(groups.values()), kind)
    head = ("data set", *(["panel"] if columns > 1 else []), *kind.columns)
    return Drawing.of(kind.name, kind.caption, figure, head, rows)


def _any(kind: _Kind, group: Sequence[CellResult]) -> bool:
    return any(panel.has(group) for panel in kind.panels)


def _number(all_axes: Sequence[Axes], groups: Sequence[Sequence[CellResult]], kind: _Kind) -> None:
    """The number that the legend has, beside each point: cells of one mode look alike."""
    places = [(group, ratio) for group in groups for ratio in ("decode_ratio", "total_ratio")]
    for axes, (group, ratio) in zip(all_axes, places, strict=True):
        points = series.compute_points(group, ratio)
        if points:
            at = [(one.x.value, one.result.accuracy.value) for one in points]
            number(axes, at, [group.index(one.result) + 1 for one in points])


def _ratio(title: str, ratio: str) -> _Panel:
    return _Panel(title, against(ratio), lambda results: bool(series.compute_points(results, ratio)))


_KINDS = (
    _Kind(
        "accuracy-compute",
        "Accuracy against compute, with 95 % intervals (the paper's figure 3)",
        ("number", "cell", "ratio", "ratio low", "ratio high", "accuracy", "low", "high"),
        (_ratio("generated tokens", "decode_ratio"), _ratio("all tokens, prompts too", "total_ratio")),
        4.8,
    ),
    _Kind(
        "accuracy-paths",
        "Accuracy against the number of paths, with 95 % intervals (the paper's figure 2)",
        ("line", "paths", *_INTERVAL),
        (_Panel("", by_paths, lambda results: bool(series.path_lines(results))),),
    ),
    _Kind(
        "selection",
        "With and without selected strategies, with 95 % intervals (the paper's figure 4)",
        ("mode", "paths", *_INTERVAL),
        (_Panel("", by_selection, lambda results: bool(series.spm_pairs(results))),),
    ),
    _Kind(
        "scores",
        "Scores of drafted steps, with 95 % intervals, and their cumulative curve (the paper's figure 5)",
        ("scorer", "score from", *_INTERVAL),
        (_Panel("", scores, lambda results: bool(series.score_histograms(results))),),
    ),
    _Kind(
        "rewrites",
        "Rewritten drafts by their place in the path, with 95 % intervals",
        ("cell", "step", *_INTERVAL),
        (_Panel("", rewrites, lambda results: any(len(series.rewrite_rates(one)) > 1 for one in results)),),
    ),
    _Kind(
        "time",
        "Time to answer: the share of runs that had answered by then, with 95 % intervals",
        ("cell", "seconds", *_INTERVAL),
        (_Panel("", answered_by_time, lambda results: any(one.wall_s for one in results)),),
    ),
)
