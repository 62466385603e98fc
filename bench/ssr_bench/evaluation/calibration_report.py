"""The calibration reported: tables, a reliability curve, and the thresholds as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssr_bench.evaluation.calibration import BIN_PATHS, ScoreCalibration, Tried
from ssr_bench.evaluation.figures import COLOURS, Drawing, bars_of, blank, percent, png_of
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.statistics import Estimate
from ssr_bench.evaluation.suggestion import Suggestion

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


def markdown(calibrations: Sequence[ScoreCalibration], suggestion: Suggestion) -> str:
    """The tables, the suggestion, and what the columns mean."""
    tables = "\n\n".join(grid.markdown() for grid in grids(calibrations))
    reported = "\n".join([suggestion.reason, *(f"    {line}" for line in suggestion.settings)])
    return "\n".join([tables, "", reported, "", *(f"- {line}" for line in DEFINITIONS), ""])


def write_calibration(
    results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration], suggestion: Suggestion, folder: Path
) -> None:
    """calibration.md, reliability.png and thresholds.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calibration.md").write_text(markdown(calibrations, suggestion), encoding="utf-8")
    for one in drawings(results, calibrations):
        (folder / f"{one.name}.png").write_bytes(one.png)


def drawings(results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration]) -> tuple[Drawing, ...]:
    """The reliability curve, and the thresholds."""
    return (
        Drawing("reliability", "The share of right paths by their drafts' mean score", _reliability(calibrations)),
        Drawing("thresholds", "What a threshold gives", _sweeps(results, calibrations)),
    )


def _reliability(calibrations: Sequence[ScoreCalibration]) -> bytes:
    figure, (axes,) = blank()
    for number, one in enumerate(calibrations):
        scores, rights = [each.score for each in one.reliability], [each.right for each in one.reliability]
        axes.errorbar(
            scores,
            [right.value for right in rights],
            yerr=bars_of(rights),
            color=COLOURS[number % len(COLOURS)],
            marker="o",
            capsize=3,
            elinewidth=0.9,
            label=str(one.stratum),
        )
    axes.set_ylim(0, 1)
    axes.set_xlabel(f"mean score of a path's drafts (bins of {BIN_PATHS} paths or more)")
    percent(axes, "paths with the right answer")
    axes.legend(fontsize=8, frameon=False)
    return png_of(figure)


def _sweeps(results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration]) -> bytes:
    figure, (left, right) = blank(2, width=11.0)
    for number, one in enumerate(calibrations):
        colour, rows = COLOURS[number % len(COLOURS)], one.sweep
        known = [row for row in rows if row.known > 0]
        left.fill_between(
            [row.threshold for row in rows],
            [row.low for row in rows],
            [row.high for row in rows],
            color=colour,
            alpha=0.15,
            linewidth=0,
            label=f"{one.stratum}: bounds",
        )
        left.plot(
            [row.threshold for row in known],
            [row.right.value for row in known],
            color=colour,
            label=f"{one.stratum}: paths it would not change",
        )
        costs = [row for row in rows if row.decode_ratio is not None]
        right.plot(
            [row.threshold for row in costs],
            [row.decode_ratio or 0.0 for row in costs],
            color=colour,
            label=f"{one.stratum}: estimated",
        )
    _measured(left, right, results)
    left.set_ylim(0, 1)
    percent(left, "accuracy of a single path")
    right.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    right.set_ylim(bottom=0)
    right.set_ylabel("decode_ratio to the baseline")
    for axes in (left, right):
        axes.set_xlabel("threshold")
        axes.legend(fontsize=8, frameon=False)
    return png_of(figure)


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


def _auc(value: Estimate | None) -> tuple[str, str]:
    return ("-", "-") if value is None else (f"{value.value:.2f}", f"{value.low:.2f} – {value.high:.2f}")


def _thresholds(one: ScoreCalibration) -> Grid:
    columns = ("threshold", "rejected", "known", "right", "bounds", "decode_ratio")
    return Grid(f"Thresholds of {one.stratum}", columns, [_row(row) for row in one.sweep])


def _row(row: Tried) -> tuple[str, ...]:
    ratio = "-" if row.decode_ratio is None else f"{row.decode_ratio:.2f}"
    right = f"{row.right.value:.1%}" if row.known else "-"
    shares = f"{row.rewritten:.0%}", f"{row.known:.0%}", right, f"{row.low:.1%} – {row.high:.1%}"
    return (f"{row.threshold:g}", *shares, ratio)
