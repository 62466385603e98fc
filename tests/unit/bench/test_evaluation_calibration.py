"""What scores are worth, and which threshold is suggested."""

from __future__ import annotations

import pytest
from evaluation_records import BASELINE, DRAFT_SIZE, TARGET_SIZE, drafted, evaluation, path, record, step, written

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode, PathStatus
from ssr_bench.evaluation.calibration import (
    PREDICTORS,
    ScoreCalibration,
    ScoredPath,
    calibrations,
    reliability,
    scored_paths,
    sweep,
)
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult, results_of
from ssr_bench.evaluation.suggestion import Trade, suggest


def ssd(threshold: float, scorer: str | None = "judge") -> Cell:
    return Cell(mode=Mode.SSD, threshold=threshold, scorer=scorer)


def run(cell: Cell, problem: str, *scores: float, correct: bool) -> Record:
    threshold = cell.threshold or 0.0
    return record(cell, problem, correct, paths=[drafted(*scores, threshold=threshold, correct=correct)])


def results(*records: Record) -> tuple[CellResult, ...]:
    return results_of([evaluation(records)])[0][1]


def scored(*scores: float, correct: bool = True, threshold: float = 5.0) -> ScoredPath:
    return ScoredPath("p", correct, threshold, scores, 0.0)


def test_a_paths_scores_are_its_drafts() -> None:
    (found,) = scored_paths([run(ssd(5.0), "p", 8.0, 2.0, 6.0, correct=True)])
    assert found.scores == (8.0, 2.0, 6.0)
    assert found.mean == pytest.approx((8 + 9 + 6) / 3)  # as the vote counts it
    assert {name: score(found) for name, score in PREDICTORS.items()} == {
        "mean of drafts": pytest.approx(16 / 3),
        "lowest draft": 2.0,
        "last draft": 6.0,
        "mean of the path, a rewrite 9": pytest.approx(23 / 3),
    }


def test_paths_that_did_not_come_to_their_end_do_not_count() -> None:
    stopped = path(*drafted(8.0).steps, status=PathStatus.STOPPED)
    unjudged = path(step(0))
    assert scored_paths([record(ssd(5.0), paths=[stopped, unjudged])]) == []


@pytest.mark.parametrize(
    ("threshold", "alike"), [(2.0, True), (1.9, False), (5.0, True), (6.0, True), (6.1, False), (9.0, False)]
)
def test_a_threshold_decides_alike_unless_a_score_lies_between(threshold: float, alike: bool) -> None:
    assert scored(8.0, 1.95, 6.0).decided_alike(threshold) is alike


def test_reliability_is_of_bins_with_as_many_paths_each() -> None:
    paths = [scored(float(number % 5), correct=number % 5 > 1) for number in range(20)]
    low, high = reliability(paths, PREDICTORS["mean of drafts"])
    assert (low.paths, low.right.value) == (10, pytest.approx(0.2))  # type: ignore[comparison-overlap]
    assert low.score == pytest.approx((4 * 0 + 4 * 1 + 2 * 2) / 10)
    assert high.right.value == 1.0


def test_a_sweep_reports_what_is_known_and_what_it_would_cost() -> None:
    records = [run(ssd(5.0), "a", 8.0, 2.0, correct=True), run(ssd(5.0), "b", 6.0, 6.0, correct=False)]
    rows = {row.threshold: row for row in sweep(scored_paths(records), [record(paths=written(100))])}
    assert rows[5.0].known == 1.0
    assert rows[5.0].right.value == rows[5.0].low == rows[5.0].high == 0.5
    assert rows[5.0].rewritten == 0.25
    # a path: 20 draft tokens, 2 scores; a rewrite of 10 tokens for a fourth of its 2 steps
    base = 100 * TARGET_SIZE
    fixed = 20 * DRAFT_SIZE + 2 * TARGET_SIZE
    assert rows[5.0].decode_ratio == pytest.approx((fixed + 0.25 * 2 * 10 * TARGET_SIZE) / base)
    assert rows[0.0].decode_ratio == pytest.approx(fixed / base)
    # at 7 the path of b would have been written otherwise
    assert (rows[7.0].known, rows[7.0].low, rows[7.0].high) == (0.5, 0.5, 1.0)
    assert rows[9.0].known == 0.0


def test_scorers_are_reported_apart() -> None:
    records = [run(ssd(5.0, name), f"p{i}", float(score), correct=score > 6) for name in ("judge", "greedy")
               for i, score in enumerate((5, 8, 6, 9))]  # fmt: skip
    found = {one.scorer: one for one in calibrations(results(*records))}
    assert set(found) == {"judge", "greedy"}
    value = found["judge"].aucs["mean of drafts"]
    assert value is not None
    assert value.value == 1.0


def test_what_was_measured_is_suggested_first_and_the_cheapest_of_it() -> None:
    found = results(
        *(record(BASELINE, f"p{i}", i < 2, paths=written(100)) for i in range(4)),
        *(run(ssd(5.0), f"p{i}", 8.0, 2.0, correct=i < 2) for i in range(4)),
        *(run(ssd(7.0), f"p{i}", 6.0, 6.0, correct=i < 3) for i in range(4)),
        *(run(ssd(1.0), f"p{i}", 8.0, correct=i < 1) for i in range(4)),
    )
    suggestion = suggest(found, calibrations(found), Trade.wanted(found, None, 1.0))
    assert (suggestion.threshold, suggestion.scorer, suggestion.measured) == (5.0, "judge", True)
    assert "SSR_VERIFIER_SCORER=judge" in suggestion.settings
    better = suggest(found, calibrations(found), Trade(accuracy=0.75))
    assert better.threshold == 7.0
    none = suggest(found, calibrations(found), Trade(accuracy=1.0, decode_ratio=0.0001))
    assert none.threshold is None
    assert none.settings == ()
    assert "the most accurate is ssd t=7 judge: 75.0%" in none.reason


def test_an_estimate_is_called_one() -> None:
    found = results(
        record(BASELINE, "p0", correct=True, paths=written(100)),
        *(run(ssd(7.0), f"p{i}", 8.0, correct=True) for i in range(3)),
        *(run(ssd(7.0), f"q{i}", 2.0, correct=False) for i in range(2)),
    )
    suggestion = suggest(found, calibrations(found), Trade(accuracy=0.9, decode_ratio=1.0))
    assert suggestion.threshold is not None
    assert not suggestion.measured
    assert suggestion.reason.startswith("estimated, not measured: ")


def test_a_wish_needs_a_measure() -> None:
    found = results(run(ssd(5.0), "p", 8.0, correct=True))
    with pytest.raises(InvalidRequest, match="^accuracy: is needed"):
        Trade.wanted(found, None, 1.0)
    for accuracy, ratio, field in ((1.5, 1.0, "accuracy"), (0.5, 0.0, "decode-ratio")):
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            Trade.wanted(found, accuracy, ratio)
    nothing: tuple[ScoreCalibration, ...] = ()
    assert "measure modes baseline and ssd" in suggest(found, nothing, Trade(0.5)).reason
