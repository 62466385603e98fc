"""The calibration reported: tables, a reliability curve, and the thresholds as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssr.core.types import MAX_SCORE
from ssr_bench.evaluation.calibration import BIN_PATHS, ScoreCalibration, Tried
from ssr_bench.evaluation.canvas import COLOURS, Drawing, Row, bars_of, blank, legend, percent
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.evaluation.suggestion import OptionsSuggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFINITIONS = """\
AUC: the chance that a path with a right answer scores above one with a wrong answer; 0.5 is a coin. 95 %: bootstrap \
over problems. Drafts: the scores that drafts were given, also those that were then written again. Scorers, modes, \
stop rules and data sets are never taken together.
paths: those that came to their end by themselves, of any threshold; stopped, failed: left out of all figures. So a \
rule that stops paths leaves the quick ones: its figures are of those alone, and no threshold is estimated from them.
rejected: the share of judged drafts below the threshold. known: the share of paths on which it would have decided as \
the threshold they ran with, and right: the accuracy of those, which are the easier ones; bounds: of all paths, if the \
others were all wrong, or all right. decode_ratio: estimated, a single path against a run of the baseline.
All of it is about single paths; a vote over paths is better. A setting is suggested if it gives the wish on folds of \
problems that had no part in choosing it; its intervals are theirs. Thresholds are many, and tried on the same paths: \
but for that suggestion, the tables are exploratory.""".splitlines()


def grids(calibrations: Sequence[ScoreCalibration]) -> tuple[Grid, ...]:
    """How well scores predict, and a table of thresholds for each scorer."""
    predictors = Grid(
        "How well a path's scores distinguish right from wrong",
        ("", "problems", "paths", "stopped", "failed", "right", "AUC", "95 %"),
        [
            (
                f"{one.stratum}: {title}",
                *map(str, (one.problems, one.paths, one.stopped, one.failed)),
                f"{one.right / one.paths:.1%}",
                *_auc(value),
            )
            for one in calibrations
            for title, value in one.aucs.items()
        ],
    )
    return (predictors, *(_thresholds(one) for one in calibrations))


def markdown(calibrations: Sequence[ScoreCalibration], suggestion: OptionsSuggestion) -> str:
    """The tables, the suggestion, and what the columns mean."""
    tables = "\n\n".join(grid.markdown() for grid in grids(calibrations))
    reported = "\n".join([suggestion.reason, *(f"    {line}" for line in suggestion.settings)])
    return "\n".join([tables, "", reported, "", *(f"- {line}" for line in DEFINITIONS), ""])


def write_calibration(
    results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration], suggestion: OptionsSuggestion, folder: Path
) -> None:
    """calibration.md, and both figures as PNG, SVG, PDF and CSV, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calibration.md").write_text(markdown(calibrations, suggestion), encoding="utf-8")
    for one in drawings(results, calibrations):
        one.write(folder)


def drawings(results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration]) -> tuple[Drawing, ...]:
    """The reliability curve, and the thresholds, a row of axes for each data set."""
    groups: dict[str, list[ScoreCalibration]] = {}
    for one in calibrations:
        groups.setdefault(one.stratum.dataset, []).append(one)
    return _reliability(groups), _sweeps(results, groups)


def _title(name: str, group: Sequence[ScoreCalibration]) -> str:
    problems, paths = max(one.problems for one in group), sum(one.paths for one in group)
    return f"{name}, {problems} problems, {paths} paths"


def _reliability(groups: Mapping[str, Sequence[ScoreCalibration]]) -> Drawing:
    figure, all_axes = blank(1, 9.4, 4.4 * len(groups), rows=len(groups))
    rows: list[Row] = []
    for axes, (name, group) in zip(all_axes, groups.items(), strict=True):
        for place, one in enumerate(group):
            rights = [each.right for each in one.reliability]
            axes.errorbar(
                [each.score for each in one.reliability],
                [right.value for right in rights],
                yerr=bars_of(rights),
                color=COLOURS[place % len(COLOURS)],
                marker="o",
                capsize=3,
                elinewidth=0.9,
                label=str(one.stratum),
            )
            rows += [
                (str(one.stratum), each.score, each.paths, each.right.value, each.right.low, each.right.high)
                for each in one.reliability
            ]
        axes.set_title(_title(name, group), fontsize=10, loc="left")
        axes.set_xticks(range(int(MAX_SCORE) + 1))
        axes.set_xlabel(f"mean score of a path's drafts (bins of {BIN_PATHS} paths or more)")
        percent(axes, "paths with the right answer", 1.04)
        legend(axes)
    caption = "The share of right paths by their drafts' mean score, with 95 % intervals"
    columns = ("stratum", "mean score", "paths", "right", "low", "high")
    return Drawing.of("reliability", caption, figure, columns, rows)


def _sweeps(results: Sequence[CellResult], groups: Mapping[str, Sequence[ScoreCalibration]]) -> Drawing:
    figure, all_axes = blank(2, 14.8, 4.4 * len(groups), rows=len(groups))
    rows: list[Row] = []
    for place, (name, group) in enumerate(groups.items()):
        left, right = all_axes[2 * place : 2 * place + 2]
        for number, one in enumerate(group):
            _sweep(left, right, one, COLOURS[number % len(COLOURS)])
            rows += [_sweep_row(one, row) for row in one.sweep]
        _measured(left, right, [one for one in results if one.records[0].dataset == name])
        left.set_title(_title(name, group), fontsize=10, loc="left")
        right.set_title("estimated from these paths, without interval; points: measured", fontsize=10, loc="left")
        percent(left, "accuracy of a single path", 1.04)
        right.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
        right.set_ylim(bottom=0)
        right.set_ylabel("decode_ratio to the baseline")
        for axes in (left, right):
            axes.set_xlabel("threshold")
            axes.set_xticks(range(int(MAX_SCORE) + 1))
        legend(right)
    columns = ("stratum", "threshold", "rejected", "known", "right", "low", "high", "if wrong", "if right", "ratio")
    return Drawing.of("thresholds", "What a threshold gives", figure, columns, rows)


def _sweep(left: Axes, right: Axes, one: ScoreCalibration, colour: str) -> None:
    known = [row for row in one.sweep if row.known > 0]
    thresholds, low, high = zip(*((row.threshold, row.low, row.high) for row in one.sweep), strict=True)
    left.fill_between(thresholds, low, high, color=colour, alpha=0.1, linewidth=0)
    left.errorbar(
        [row.threshold for row in known],
        [row.right.value for row in known],
        yerr=bars_of([row.right for row in known]),
        color=colour,
        elinewidth=0.6,
    )
    costs = [row for row in one.sweep if row.decode_ratio is not None]
    label = f"{one.stratum}: paths a threshold would not change; shaded: bounds of all"
    right.plot([row.threshold for row in costs], [row.decode_ratio or 0.0 for row in costs], color=colour, label=label)


def _sweep_row(one: ScoreCalibration, row: Tried) -> Row:
    right = (row.right.value, row.right.low, row.right.high) if row.known else ("", "", "")
    ratio = "" if row.decode_ratio is None else row.decode_ratio
    return (str(one.stratum), row.threshold, row.rewritten, row.known, *right, row.low, row.high, ratio)


def _measured(left: Axes, right: Axes, results: Sequence[CellResult]) -> None:
    """The cells of one drafted path, which the estimates are about."""
    style: dict[str, Any] = {"color": "black", "marker": "o", "linestyle": "", "label": "measured", "elinewidth": 0.9}
    single = [one for one in results if one.cell.mode.drafts and one.paths == 1]
    accuracies = [(one.threshold, one.accuracy) for one in single if one.threshold is not None]
    ratios = [(one.threshold, one.decode_ratio) for one in single if one.threshold is not None and one.decode_ratio]
    for axes, points in ((left, accuracies), (right, ratios)):
        if points:
            values = [value for _, value in points]
            at = [threshold for threshold, _ in points]
            axes.errorbar(at, [one.value for one in values], yerr=bars_of(values), **style)


def _auc(value: IntervalEstimate | None) -> tuple[str, str]:
    return ("-", "-") if value is None else (f"{value.value:.2f}", f"{value.low:.2f} – {value.high:.2f}")


def _thresholds(one: ScoreCalibration) -> Grid:
    columns = ("threshold", "rejected", "known", "right", "bounds", "decode_ratio")
    return Grid(f"Thresholds of {one.stratum}", columns, [_row(row) for row in one.sweep])


def _row(row: Tried) -> tuple[str, ...]:
    ratio = "-" if row.decode_ratio is None else f"{row.decode_ratio:.2f}"
    right = f"{row.right.value:.1%}" if row.known else "-"
    shares = f"{row.rewritten:.0%}", f"{row.known:.0%}", right, f"{row.low:.1%} – {row.high:.1%}"
    return (f"{row.threshold:g}", *shares, ratio)
