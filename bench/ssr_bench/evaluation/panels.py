"""What one axes of a figure shows of a data set: an interval on every point, and the rows that are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ssr.core.types import MAX_SCORE, Mode
from ssr_bench.evaluation import series
from ssr_bench.evaluation.canvas import COLOURS, LINES, Row, bars_of, percent, whole_ticks
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import IntervalEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of modes: a colour and a marker each.
MODE_STYLE: Mapping[Mode, tuple[str, str]] = {
    Mode.DRAFT: ("#999999", "v"),
    Mode.BASELINE: ("#000000", "s"),
    Mode.PARALLEL: ("#56B4E9", "o"),
    Mode.PARALLEL_SPM: ("#0072B2", "D"),
    Mode.SSD: ("#E69F00", "^"),
    Mode.SSR: ("#D55E00", "P"),
    Mode.CASCADE: ("#009E73", "*"),
}

#: Of an axis of shares: a point at 100 % is whole.
_TOP = 1.04

#: Draws what one data set has, and gives the rows that it has drawn, without the data set.
Draw = Callable[["Axes", Sequence[CellResult]], list[Row]]


def _named(one: CellResult) -> str:
    """The cell's label; a baseline's has its evaluation, of which there may be several."""
    return f"baseline of {one.evaluation}" if one.cell.mode is Mode.BASELINE else one.label


def _ends(estimate: IntervalEstimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def against(ratio: str) -> Draw:
    def draw(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
        points = series.compute_points(results, ratio)
        for point in points:
            colour, marker = MODE_STYLE[point.result.cell.mode]
            accuracy = point.result.accuracy
            place = results.index(point.result) + 1
            axes.errorbar(
                point.x.value,
                accuracy.value,
                xerr=bars_of([point.x]),
                yerr=bars_of([accuracy]),
                color=colour,
                marker=marker,
                markersize=7,
                elinewidth=0.9,
                alpha=0.9,
                linestyle="",
                label=f"{place}  {_named(point.result)}",
            )
        axes.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        _logarithmic(axes)
        axes.set_xlabel(f"{ratio} to the baseline (logarithmic)")
        percent(axes, "accuracy", _TOP)
        return [
            (results.index(one.result) + 1, _named(one.result), *_ends(one.x), *_ends(one.result.accuracy))
            for one in points
        ]

    return draw


def _logarithmic(axes: Axes) -> None:
    """Ticks at 0.1, 0.2, 0.5, 1, 2, 5 ..."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def by_paths(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
    lines, styles = series.path_lines(results), _Styles()
    for place, (name, line) in enumerate(lines.items()):
        accuracies = [one.accuracy for one in line]
        aside = (place - (len(lines) - 1) / 2) * 0.05  # so that error bars do not hide each other
        axes.errorbar(
            [one.paths + aside for one in line],
            [one.value for one in accuracies],
            yerr=bars_of(accuracies),
            capsize=2,
            elinewidth=0.7,
            label=name,
            marker=MODE_STYLE[line[-1].cell.mode][1],
            **styles.next(line[-1].cell.mode),
        )
    _baselines(axes, results)
    axes.set_xticks(sorted({one.paths for line in lines.values() for one in line}))
    axes.set_xlabel("paths")
    percent(axes, "accuracy", _TOP)
    return [(name, one.paths, *_ends(one.accuracy)) for name, line in lines.items() for one in line]


class _Styles:
    """Gives each cell its mode's colour, and cells of one mode lines of different kinds."""

    def __init__(self) -> None:
        self._seen: Counter[Mode] = Counter()

    def next(self, mode: Mode) -> dict[str, Any]:
        self._seen[mode] += 1
        return {"color": MODE_STYLE[mode][0], "linestyle": LINES[(self._seen[mode] - 1) % len(LINES)]}


def by_selection(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
    pairs = series.spm_pairs(results)
    names = [f"{one.paths} path(s){f', {one.cell.stop_rule}' if one.cell.stop_rule else ''}" for one, _ in pairs]
    rows: list[Row] = []
    for column, mode in enumerate((Mode.PARALLEL, Mode.PARALLEL_SPM)):
        colour, marker = MODE_STYLE[mode]
        accuracies = [pair[column].accuracy for pair in pairs]
        axes.errorbar(
            [place + (column - 0.5) * 0.2 for place in range(len(pairs))],
            [one.value for one in accuracies],
            yerr=bars_of(accuracies),
            color=colour,
            marker=marker,
            markersize=8,
            capsize=3,
            linestyle="",
            label="selected strategies (SPM)" if column else "no strategies",
        )
        rows += [(str(mode), name, *_ends(one)) for name, one in zip(names, accuracies, strict=True)]
    _baselines(axes, results)
    axes.set_xticks(range(len(pairs)), names)
    axes.set_xlim(-0.6, len(pairs) - 0.4)
    percent(axes, "accuracy", _TOP)
    return rows


def _baselines(axes: Axes, results: Sequence[CellResult]) -> None:
    """Each evaluation's, with its interval."""
    found = [one for one in results if one.cell.mode is Mode.BASELINE]
    for place, one in enumerate(found):
        axes.axhline(
            one.accuracy.value, color="black", linewidth=0.9, linestyle=LINES[-1 - place % 3], label=_named(one)
        )
        axes.axhspan(one.accuracy.low, one.accuracy.high, color="black", alpha=0.05, linewidth=0)


def scores(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
    rows: list[Row] = []
    found = series.score_histograms(results)
    for place, one in enumerate(found):
        width = (one.edges[1] - one.edges[0]) * 0.92 / len(found)
        lefts = [edge + width * place for edge in one.edges[:-1]]
        colour, values = COLOURS[place % len(COLOURS)], [share.value for share in one.intervals]
        label = f"{one.scorer}: {one.count:,} drafts"
        axes.bar(lefts, values, width=width, align="edge", color=colour, alpha=0.7, label=label)
        bars = [(left + width / 2, share) for left, share in zip(lefts, one.intervals, strict=True) if share.value]
        shares = [share for _, share in bars]
        axes.errorbar(
            [middle for middle, _ in bars],
            [share.value for share in shares],
            yerr=bars_of(shares),
            color="black",
            linestyle="",
            elinewidth=0.8,
        )
        axes.plot(one.edges, [0.0, *one.cumulative], color=colour, linewidth=1.6, linestyle=LINES[1], label="with less")
        rows += [(one.scorer, edge, *_ends(share)) for edge, share in zip(one.edges, one.intervals, strict=False)]
        for threshold in one.thresholds:
            axes.axvline(threshold, color="black", linewidth=0.9, linestyle=":", label=f"threshold {threshold:g}")
    axes.set_xlim(0, MAX_SCORE)
    axes.set_xticks(range(int(MAX_SCORE) + 1))
    axes.set_xlabel("score")
    percent(axes, "share of drafts", 1.0)
    return rows


def rewrites(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
    rows: list[Row] = []
    lines = [(one, rates) for one in results if len(rates := series.rewrite_rates(one)) > 1]
    for place, (one, rates) in enumerate(lines):
        aside = (place - (len(lines) - 1) / 2) * 0.4 / len(lines)
        axes.errorbar(
            [index + 1 + aside for index, _ in rates],
            [rate.value for _, rate in rates],
            yerr=bars_of([rate for _, rate in rates]),
            color=COLOURS[place % len(COLOURS)],
            linestyle=LINES[place // len(COLOURS) % len(LINES)],
            marker="o",
            markersize=3,
            elinewidth=0.7,
            label=one.label,
        )
        rows += [(one.label, index + 1, *_ends(rate)) for index, rate in rates]
    whole_ticks(axes)
    axes.set_xlabel("step of a path")
    percent(axes, "drafts written again", _TOP)
    return rows


def answered_by_time(axes: Axes, results: Sequence[CellResult]) -> list[Row]:
    rows: list[Row] = []
    styles = _Styles()
    for one in results:
        if not one.wall_s:
            continue
        seconds, shares = series.answered_by(one)
        ends, style = series.shares_of(one, shares), styles.next(one.cell.mode)
        axes.step(seconds, shares, where="post", linewidth=1.3, label=_named(one), **style)
        low, high = [end.low for end in ends], [end.high for end in ends]
        axes.fill_between(seconds, low, high, step="post", color=style["color"], alpha=0.06, linewidth=0)
        rows += [(_named(one), second, *_ends(end)) for second, end in zip(seconds, ends, strict=True)]
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds from a job's start")
    percent(axes, "runs with an answer, right or wrong", _TOP)
    return rows
