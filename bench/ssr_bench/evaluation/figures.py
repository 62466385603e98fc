"""The figures, with matplotlib, which is imported when the first one is drawn.

Colours are those of Okabe and Ito, which people with colour-vision deficiencies distinguish; a mode has a marker too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ssr.core.errors import CapabilityMissing
from ssr.core.types import MAX_SCORE, Mode
from ssr_bench.evaluation import series
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Of modes: a colour and a marker each.
MODE_STYLE: Mapping[Mode, tuple[str, str]] = {
    Mode.DRAFT: ("#999999", "v"),
    Mode.BASELINE: ("#000000", "s"),
    Mode.PARALLEL: ("#56B4E9", "o"),
    Mode.PARALLEL_SPM: ("#0072B2", "D"),
    Mode.SSD: ("#E69F00", "^"),
    Mode.SSR: ("#D55E00", "P"),
    Mode.PARALLEL_SSD: ("#CC79A7", "X"),
    Mode.CASCADE: ("#009E73", "*"),
}
#: Of lines that are not modes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_LINES = ("-", "--", ":", "-.")
_DPI = 150


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as PNG, with its file's name and what it shows."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    caption: str
    draw: Callable[[Sequence[CellResult]], Figure | None]


def check_plotting() -> None:
    """Raises: CapabilityMissing without matplotlib."""
    if find_spec("matplotlib") is None:
        raise CapabilityMissing("drawing figures needs matplotlib: pip install 'ssr-serve[plots]'")


def drawings(results: Sequence[CellResult]) -> tuple[tuple[Drawing, ...], tuple[str, ...]]:
    """The figures that the results have data for, and the captions of those they have none for."""
    drawn, missing = [], []
    for kind in _KINDS:
        figure = kind.draw(results)
        if figure is None:
            missing.append(kind.caption)
        else:
            drawn.append(Drawing(kind.name, kind.caption, png_of(figure)))
    return tuple(drawn), tuple(missing)


def blank(columns: int = 1, width: float = 7.0, height: float = 4.4) -> tuple[Figure, list[Axes]]:
    """A figure with axes side by side, which no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25, linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def png_of(figure: Figure) -> bytes:
    """The figure as PNG."""
    out = BytesIO()
    figure.savefig(out, dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def percent(axes: Axes, what: str) -> None:
    """The y axis is a share."""
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel(what)


def bars_of(estimates: Sequence[Estimate]) -> list[list[float]]:
    """The lengths of error bars below and above."""
    return [[one.value - one.low for one in estimates], [one.high - one.value for one in estimates]]


def _compute(results: Sequence[CellResult]) -> Figure | None:
    shown = {ratio: series.compute_points(results, ratio) for ratio in ("decode_ratio", "total_ratio")}
    if not any(shown.values()):
        return None
    figure, all_axes = blank(2, width=11.0, height=4.8)
    for axes, (ratio, points) in zip(all_axes, shown.items(), strict=True):
        for point in points:
            colour, marker = MODE_STYLE[point.result.cell.mode]
            accuracy = point.result.accuracy
            axes.errorbar(
                point.x.value,
                accuracy.value,
                xerr=bars_of([point.x]),
                yerr=bars_of([accuracy]),
                color=colour,
                marker=marker,
                markersize=8,
                elinewidth=0.9,
                alpha=0.9,
                linestyle="",
                label=point.result.label,
            )
        _number(axes, points)
        axes.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        _number_logarithmic(axes)
        axes.set_xlabel(f"{ratio} to the baseline (logarithmic)")
        percent(axes, "accuracy")
    all_axes[0].set_title("generated tokens", fontsize=10, loc="left")
    all_axes[1].set_title("all tokens, prompts too", fontsize=10, loc="left")
    handles, labels = all_axes[0].get_legend_handles_labels()
    numbered = [f"{number}  {label}" for number, label in enumerate(labels, start=1)]
    figure.legend(handles, numbered, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _number_logarithmic(axes: Axes) -> None:
    """Ticks at 0.1, 0.2, 0.5, 1, 2, 5 ..."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def _number(axes: Axes, points: Sequence[series.Point]) -> None:
    """The number that the legend has, beside each point: cells of one mode look alike."""
    for number, point in enumerate(points, start=1):
        place = (point.x.value, point.result.accuracy.value)
        axes.annotate(str(number), place, xytext=(6, 5), textcoords="offset points", fontsize=9, weight="bold")


def _paths(results: Sequence[CellResult]) -> Figure | None:
    lines = series.path_lines(results)
    if not lines:
        return None
    figure, (axes,) = blank(width=9.0)
    styles = _Styles()
    for number, (name, line) in enumerate(lines.items()):
        accuracies = [one.accuracy for one in line]
        aside = (number - (len(lines) - 1) / 2) * 0.05  # so that error bars do not hide each other
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
    _baseline_line(axes, results)
    axes.set_xticks(sorted({one.paths for line in lines.values() for one in line}))
    axes.set_xlabel("paths")
    percent(axes, "accuracy")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


class _Styles:
    """Gives each cell its mode's colour, and cells of one mode lines of different kinds."""

    def __init__(self) -> None:
        self._seen: Counter[Mode] = Counter()

    def next(self, mode: Mode) -> dict[str, Any]:
        self._seen[mode] += 1
        return {"color": MODE_STYLE[mode][0], "linestyle": _LINES[(self._seen[mode] - 1) % len(_LINES)]}


def _spm(results: Sequence[CellResult]) -> Figure | None:
    pairs = series.spm_pairs(results)
    if not pairs:
        return None
    figure, (axes,) = blank(height=3.8)
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
    _baseline_line(axes, results)
    names = [f"{one.paths} path(s){f', {one.cell.stop_rule}' if one.cell.stop_rule else ''}" for one, _ in pairs]
    axes.set_xticks(range(len(pairs)), names)
    axes.set_xlim(-0.6, len(pairs) - 0.4)
    percent(axes, "accuracy")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    return figure


def _scores(results: Sequence[CellResult]) -> Figure | None:
    histograms = series.score_histograms(results)
    if not histograms:
        return None
    figure, all_axes = blank(len(histograms), width=max(7.0, 4.6 * len(histograms)))
    for axes, one in zip(all_axes, histograms, strict=True):
        middles = [(a + b) / 2 for a, b in zip(one.edges, one.edges[1:], strict=False)]
        width = one.edges[1] - one.edges[0]
        axes.bar(middles, one.shares, width=width * 0.92, color=COLOURS[5], label="drafts with this score")
        axes.plot(one.edges, [0.0, *one.cumulative], color=COLOURS[1], linewidth=2, label="drafts with less")
        for threshold in one.thresholds:
            axes.axvline(threshold, color="black", linewidth=0.9, linestyle=":")
            axes.annotate(f"threshold {threshold:g}", (threshold, 0.97), rotation=90, ha="right", va="top", fontsize=8)
        axes.set_title(f"{one.scorer}: {one.count:,} drafts judged", fontsize=10, loc="left")
        axes.set_xlim(0, MAX_SCORE)
        axes.set_ylim(0, 1)
        axes.set_xlabel("score")
        percent(axes, "share of drafts")
        axes.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def _rewrites(results: Sequence[CellResult]) -> Figure | None:
    lines = [(one, rates) for one in results if len(rates := series.rewrite_rates(one)) > 1]
    if not lines:
        return None
    figure, (axes,) = blank(width=9.0)
    for number, (one, rates) in enumerate(lines):
        colour, style = COLOURS[number % len(COLOURS)], _LINES[number // len(COLOURS) % len(_LINES)]
        steps, shares = [index + 1 for index, _ in rates], [rate.value for _, rate in rates]
        axes.plot(steps, shares, color=colour, linestyle=style, marker="o", markersize=3, label=one.label)
        if len(lines) <= 3:  # bands of many lines hide each other
            axes.fill_between(
                steps, [r.low for _, r in rates], [r.high for _, r in rates], color=colour, alpha=0.15, linewidth=0
            )
    axes.set_ylim(0, 1)
    axes.set_xlabel("step of a path")
    percent(axes, "drafts written again")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _time(results: Sequence[CellResult]) -> Figure | None:
    lines = [(one, *series.answered_by(one)) for one in results if one.wall_s]
    if not lines:
        return None
    figure, (axes,) = blank(width=9.0)
    styles = _Styles()
    for one, seconds, shares in lines:
        axes.step(seconds, shares, where="post", linewidth=1.3, label=one.label, **styles.next(one.cell.mode))
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("seconds from a job's start")
    percent(axes, "runs with an answer, right or wrong")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _baseline_line(axes: Axes, results: Sequence[CellResult]) -> None:
    for one in results:
        if one.cell.mode is Mode.BASELINE:
            axes.axhline(one.accuracy.value, color="black", linewidth=0.9, linestyle=":", label=one.label)


_KINDS = (
    _Kind("accuracy-compute", "Accuracy against compute, with 95 % intervals (the paper's figure 3)", _compute),
    _Kind("accuracy-paths", "Accuracy against the number of paths (the paper's figure 2)", _paths),
    _Kind("selection", "With and without selected strategies (the paper's figure 4)", _spm),
    _Kind("scores", "Scores of drafted steps, and their cumulative curve (the paper's figure 5)", _scores),
    _Kind("rewrites", "Rewritten drafts by their place in the path", _rewrites),
    _Kind("time", "Time to answer: the share of runs that had answered by then", _time),
)
