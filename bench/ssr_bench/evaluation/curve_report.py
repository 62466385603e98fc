"""Scorers' curves as a table, and those of recorded runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssr.core.types import MAX_SCORE
from ssr_bench.evaluation.calibration import ScoreCalibration
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.score_curves import FittedCurve, Reliability, ScoredStep, fitted_curve
from ssr_bench.evaluation.statistics import IntervalEstimate

COLUMNS = ("", "problems", "scores", "right", "AUC", "curve", "calibrated", "Brier score", "by the rate alone", "ECE")
DEFINITIONS = (
    "A step is right when its path ended right; the steps of a path weigh one path together. Calibrated: from what to "
    "what the scores 0 to 9 become, 9 times a probability; a threshold outside lets all pass, or none.",
    "Brier score: the mean square by which probabilities miss, beside that of always saying the share of right ones; "
    "ECE: the mean distance of probability and share of right ones over ten bins of like probabilities. Both on folds "
    "of problems that the curve, and its kind, were not chosen on; 95 % in brackets: bootstrap over problems.",
)


def curve_grid(curves: Mapping[str, FittedCurve]) -> Grid:
    return Grid("Scores as probabilities", COLUMNS, [curve_row(name, one) for name, one in curves.items()])


def curve_row(name: str, fitted: FittedCurve) -> tuple[str, ...]:
    low, high = (MAX_SCORE * fitted.curve.chance(score) for score in (0.0, MAX_SCORE))
    return reliability_row(name, fitted.reliability, fitted.kind, f"{low:.1f} – {high:.1f}")


def reliability_row(name: str, one: Reliability, kind: str, calibrated: str = "-") -> tuple[str, ...]:
    return (
        name,
        str(one.problems),
        str(one.steps),
        f"{one.right:.0%}",
        "-" if one.auc is None else _interval(one.auc, "{:.2f}"),
        kind,
        calibrated,
        _interval(one.brier, "{:.3f}"),
        f"{one.constant:.3f}",
        _interval(one.ece, "{:.3f}"),
    )


def curves_of_runs(calibrations: Sequence[ScoreCalibration]) -> dict[str, FittedCurve]:
    """Of each scorer, over all runs in which every draft stood, as with --threshold 0, and no path was stopped.

    Where drafts are written again, their paths' ends say nothing of them.
    """
    steps: dict[str, list[ScoredStep]] = {}
    for one in calibrations:
        if one.whole and all(min(path.scores) >= path.threshold for path in one.scored):
            for path in one.scored:
                name = f"{one.stratum.dataset}/{path.problem}"
                steps.setdefault(one.scorer, []).extend(
                    ScoredStep(name, score, path.correct, 1 / len(path.scores)) for score in path.scores
                )
    fitted = {scorer: fitted_curve(some) for scorer, some in steps.items()}
    return {scorer: one for scorer, one in fitted.items() if one is not None}


def _interval(one: IntervalEstimate, form: str) -> str:
    return f"{form.format(one.value)} ({form.format(one.low)} – {form.format(one.high)})"
