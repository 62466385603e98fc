"""Curves fitted to recorded steps: right on others' problems, and never better than the data."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from evaluation_records import drafted, evaluation, record

from ssr.core.evidence.calibration import Entry, parse_calibration
from ssr.core.evidence.curve import Isotonic, Logistic
from ssr.core.evidence.prior import Prior
from ssr.core.types import Mode
from ssr_bench.cli.calibration_file import entries_of, keep
from ssr_bench.evaluation.calibration import calibrations
from ssr_bench.evaluation.curve_report import curve_grid, curves_of_runs
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.results import results_of
from ssr_bench.evaluation.score_curves import FittedCurve, ScoredStep, fitted_curve, isotonic, logistic, reliability
from ssr_bench.replay.pool import PooledProblem, Sample
from ssr_bench.replay.scored import (
    SCORERS,
    ScoredDraft,
    ScoredProblem,
    StepScores,
    combined,
    paths_of,
    read_scores,
    score_curves,
    scored_problems,
    steps_of,
    write_scores,
)


def steps(count: int, slope: float, seed: int = 0) -> list[ScoredStep]:
    """Scores 0..9 of steps that are right by a logistic law; three a problem."""
    dice, law = random.Random(seed), Logistic(-4.5 * slope, max(0.0, slope))
    scores = [dice.uniform(0, 9) for _ in range(count)]
    return [ScoredStep(str(n // 3), score, dice.random() < law.chance(score)) for n, score in enumerate(scores)]


def test_a_logistic_law_is_found_again() -> None:
    found = logistic(steps(6000, 0.8))
    assert found.slope == pytest.approx(0.8, abs=0.06)
    assert found.intercept == pytest.approx(-3.6, abs=0.3)


def test_scores_that_say_nothing_get_the_rate() -> None:
    turned = [ScoredStep(one.problem, 9 - one.score, one.right) for one in steps(600, 0.8)]
    rate = sum(one.right for one in turned) / len(turned)
    assert logistic(turned).slope == 0.0
    assert logistic(turned).chance(9.0) == pytest.approx(rate, abs=0.01)
    assert {round(isotonic(turned).chance(score), 3) for score in (0.0, 4.0, 9.0)} == {round(rate, 3)}


def test_violators_are_pooled_and_ties_stay_together() -> None:
    rights = {1.0: "10", 2.0: "1", 3.0: "0", 5.0: "111"}
    some = [ScoredStep(f"{s}{n}", s, mark == "1") for s, marks in rights.items() for n, mark in enumerate(marks)]
    curve = isotonic(some)
    assert [chance for _, chance in curve.knots] == sorted({chance for _, chance in curve.knots})
    assert curve.chance(1.0) < curve.chance(5.0)
    assert curve.chance(2.0) <= curve.chance(3.0)


def test_the_better_kind_is_chosen_and_judged_on_other_problems() -> None:
    fitted = fitted_curve(steps(1500, 0.8))
    assert fitted is not None
    assert fitted.kind == "logistic"
    found = fitted.reliability
    assert found.brier.value < 0.75 * found.constant
    assert found.brier.low <= found.brier.value <= found.brier.high
    assert found.ece.value < 0.06
    dice = random.Random(1)
    jumps = [ScoredStep(str(n), s := dice.uniform(0, 9), dice.random() < (0.9 if s > 8 else 0.1)) for n in range(1500)]
    jumping = fitted_curve(jumps)
    assert jumping is not None
    assert isinstance(jumping.curve, Isotonic)


def test_noise_is_not_called_better_than_the_rate() -> None:
    dice = random.Random(2)
    fitted = fitted_curve([ScoredStep(str(n // 3), dice.uniform(0, 9), dice.random() < 0.3) for n in range(300)])
    assert fitted is not None
    assert fitted.reliability.brier.value > 0.97 * fitted.reliability.constant


def test_too_little_fits_nothing() -> None:
    assert fitted_curve(steps(30, 0.8)) is None
    assert fitted_curve([ScoredStep(str(n), 1.0, True) for n in range(99)]) is None


def test_reliability_of_what_is_known_for_certain() -> None:
    groups = [[ScoredStep("a", 9.0, True), ScoredStep("a", 0.0, False)]] * 30
    sure = reliability(groups, lambda step: float(step.right))
    assert (sure.brier.value, sure.ece.value, sure.right, sure.constant) == (0.0, 0.0, 0.5, 0.25)
    blind = reliability(groups, lambda step: 0.5)
    assert (blind.brier.value, blind.ece.value) == (0.25, 0.0)


def test_a_paths_steps_weigh_one_path() -> None:
    drafts = (
        ScoredDraft(
            True, (StepScores(8.0, 9.0, 7.0, -0.1, 1.0, False), StepScores(None, None, None, None, None, True))
        ),
        ScoredDraft(False, (StepScores(2.0, 0.0, 3.0, -0.5, 0.0, False), StepScores(4.0, 0.0, 3.0, -0.5, None, True))),
    )
    problem = ScoredProblem("s", "1", drafts)
    found = steps_of([problem], SCORERS["expected"])
    assert [(one.score, one.right, one.weight) for one in found] == [
        (8.0, True, 1.0),
        (2.0, False, 0.5),
        (4.0, False, 0.5),
    ]
    assert [one.score for one in paths_of([problem], SCORERS["expected"])] == [8.0, 3.0]
    assert [one.score for one in steps_of([problem], SCORERS["agreement"])] == [9.0, 0.0]


def judged(folder: Path, count: int) -> list[PooledProblem]:
    """Drafts whose judge knows what is right, and whose siblings agree where they are."""
    dice, problems = random.Random(3), []
    with gzip.open(folder / "draft.jsonl.gz", "wt") as drafts, gzip.open(folder / "judge.jsonl.gz", "wt") as verdicts:
        for number in range(count):
            rights = [dice.random() < 0.5 for _ in range(3)]
            samples = [
                {"steps": [[f"2 * 3 = {6 if right else 7 + n}", 9, -0.1 if right else -0.6]], "tok": 9, "ans": "6"}
                for n, right in enumerate(rights)
            ]
            line = {"set": "s", "id": str(number), "problem": "?", "answer": "6", "samples": samples}
            drafts.write(json.dumps(line) + "\n")
            marks = [[[7.0, 9.0, 8.0]] if right else [[3.0, 0.0, 2.0]] for right in rights]
            verdicts.write(json.dumps({"set": "s", "id": str(number), "judged": marks}) + "\n")
            graded = tuple(Sample(0 if right else 1, 9, False) for right in rights)
            problems.append(PooledProblem("s", str(number), graded, graded))
    return problems


def test_verdicts_beside_samples_are_read_and_kept_without_texts(tmp_path: Path) -> None:
    found = scored_problems(tmp_path, judged(tmp_path, 40))
    step = found[0].drafts[0].steps[0]
    assert step.judge in (8.0, 2.0)
    assert step.share is not None
    write_scores(found, tmp_path / "scores")
    assert read_scores(tmp_path / "scores") == found
    curves = score_curves(found)
    assert set(curves) == {"greedy", "expected", "judge", "agreement"}
    assert curves["judge"].curve.chance(8.0) > 0.9 > 0.1 > curves["judge"].curve.chance(2.0)
    assert combined(found).brier.value < 0.05
    assert "judge" in curve_grid(curves).markdown()


def test_the_file_keeps_what_is_of_others(tmp_path: Path) -> None:
    file, curve = tmp_path / "pair.yaml", Logistic(-1.0, 0.25)
    fitted = fitted_curve(steps(300, 0.8))
    assert fitted is not None
    keep(file, Entry(Prior(), domain="choice"), entries_of({"judge": fitted, "expected": fitted}, "", "", ""))
    keep(file, None, entries_of({"judge": FittedCurve(curve, fitted.reliability)}, "", "1.5B", ""))
    keep(file, None, entries_of({"judge": FittedCurve(curve, fitted.reliability)}, "", "", ""))
    read = parse_calibration(file.read_text())
    assert [one.domain for one in read.entries] == ["choice"]
    assert [(one.scorer, one.target) for one in read.scores] == [("judge", "1.5B"), ("judge", ""), ("expected", "")]
    assert read.curve("judge", target="7B") == curve
    assert "Brier score" in read.scores[0].note


@pytest.mark.parametrize(("threshold", "fitted"), [(0.1, True), (5.0, False)])
def test_runs_give_curves_where_every_draft_stood(threshold: float, fitted: bool) -> None:
    cell, dice = Cell(mode=Mode.SSD, threshold=threshold, scorer="judge"), random.Random(4)
    records = []
    for number in range(60):
        score = dice.uniform(1, 8)
        right = dice.random() < score / 9
        one = drafted(score, score / 2, threshold=threshold, correct=right)
        records.append(record(cell, str(number), right, paths=[one]))
    ((_, results),) = results_of([evaluation(records)])
    assert (set(curves_of_runs(calibrations(results))) == {"judge"}) is fitted
