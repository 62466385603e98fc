"""What scores are worth, and which threshold is suggested."""

from __future__ import annotations

import pytest
from evaluation_records import BASELINE, DRAFT_SIZE, TARGET_SIZE, drafted, evaluation, path, record, step, written

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode, Options, PathStatus, StopRule
from ssr_bench.evaluation.calibration import (
    PREDICTORS,
    ScoreCalibration,
    ScoredPath,
    calibrations,
    reliability,
    scored_paths,
    sweep,
)
from ssr_bench.evaluation.held_out import OptionOutcome, folds_of, held_out
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.record import PathRecord, Record
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
        *(record(BASELINE, f"p{i}", i % 4 < 2, paths=written(100)) for i in range(40)),
        *(run(ssd(5.0), f"p{i}", 8.0, 2.0, correct=i % 4 < 2) for i in range(40)),
        *(run(ssd(7.0), f"p{i}", 6.0, 6.0, correct=i % 4 < 3) for i in range(40)),
        *(run(ssd(1.0), f"p{i}", 8.0, correct=i % 4 < 1) for i in range(40)),
    )
    suggestion = suggest(found, calibrations(found), Trade.wanted(found, None, 1.0))
    assert (suggestion.threshold, suggestion.scorer, suggestion.measured) == (5.0, "judge", True)
    assert "SSR_VERIFIER_SCORER=judge" in suggestion.settings
    assert suggestion.settings[0] == "ssr solve --mode ssd --threshold 5 --scorer judge ..."
    held = suggestion.held_out
    assert held is not None
    assert held.gain is not None
    assert (held.accuracy.value, held.gain.pairs, held.known) == (0.5, 40, 1.0)
    assert "that less than 5 points are lost is not shown" in suggestion.reason  # 40 problems cannot
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
    assert suggestion.held_out is not None


def test_what_does_not_hold_on_other_problems_is_not_suggested() -> None:
    # Each cell is right where the others are wrong: whichever looks best on some problems is bad on the rest.
    found = results(
        *(record(BASELINE, f"p{i}", i % 5 < 2, paths=written(100)) for i in range(20)),
        *(run(ssd(t), f"p{i}", 8.0, correct=i % 3 + 1 == t) for t in (1.0, 2.0, 3.0) for i in range(20)),
    )
    suggestion = suggest(found, calibrations(found)[:0], Trade(accuracy=0.34))
    assert suggestion.threshold is None
    assert suggestion.reason.startswith("measured: ssd t=1 judge is right on 35.0%")
    assert suggestion.reason.endswith("which do not give it")


def test_modes_and_stop_rules_are_never_mixed_and_stopped_paths_left_out() -> None:
    def job(rule: StopRule, problem: str, *paths: PathRecord) -> Record:
        cell = Cell(mode=Mode.SSR, threshold=5.0, scorer="judge", stop_rule=rule)
        options = Options(mode=Mode.SSR, threshold=5.0, scorer="judge", stop_rule=rule)
        return record(cell, problem, paths=paths, options=options)

    stopped = path(*drafted(3.0).steps, status=PathStatus.STOPPED)
    found = results(
        record(BASELINE, "p", paths=written(100)),
        run(ssd(5.0), "p", 8.0, correct=True),
        job(StopRule.FULL, "p", drafted(8.0), drafted(2.0, correct=False)),
        job(StopRule.FAST_1, "p", drafted(9.0), stopped),
    )
    strata = {str(one.stratum): one for one in calibrations(found)}
    assert list(strata) == ["judge, ssd, d", "judge, ssr, stop rule full, d", "judge, ssr, stop rule fast-1, d"]
    fast = strata["judge, ssr, stop rule fast-1, d"]
    assert (fast.paths, fast.stopped, fast.whole) == (1, 1, False)
    assert strata["judge, ssr, stop rule full, d"].paths == 2
    estimates = suggest(found[:1] + found[3:], [fast], Trade(accuracy=0.1, decode_ratio=9.0))
    assert estimates.measured or estimates.threshold is None


def test_several_data_sets_are_not_calibrated_together() -> None:
    records = [run(ssd(5.0), "p", 8.0, correct=True).model_copy(update={"dataset": name}) for name in ("d", "e")]
    found = results(*records)
    assert len(calibrations(found)) == 2
    assert "several data sets (d, e)" in suggest(found, calibrations(found), Trade(0.1)).reason


def test_folds_are_parts_of_the_problems_and_none_is_judged_by_its_own_choice() -> None:
    names = [f"p{i}" for i in range(13)]
    parts = folds_of(names)
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert {len(part) for part in parts} == {2, 3}
    assert folds_of(names[::-1]) == parts
    seen: list[tuple[frozenset[str], str]] = []

    def outcomes(option: frozenset[str]) -> dict[str, OptionOutcome]:
        return {name: seen.append((option, name)) or OptionOutcome((name not in option,), 1) for name in names}  # type: ignore[func-returns-value]

    found = held_out(names, lambda inside: frozenset(inside), outcomes)
    assert found is not None
    assert (found.folds, found.problems, found.sums.accuracy.value) == (5, 13, 1.0)
    assert held_out(names[:1], lambda inside: frozenset(inside), outcomes) is None


def test_a_wish_needs_a_measure() -> None:
    found = results(run(ssd(5.0), "p", 8.0, correct=True))
    with pytest.raises(InvalidRequest, match="^accuracy: is needed"):
        Trade.wanted(found, None, 1.0)
    for accuracy, ratio, field in ((1.5, 1.0, "accuracy"), (0.5, 0.0, "decode-ratio")):
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            Trade.wanted(found, accuracy, ratio)
    nothing: tuple[ScoreCalibration, ...] = ()
    assert "measure modes baseline and ssd" in suggest(found, nothing, Trade(0.5)).reason
