"""The table's numbers, against some computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evaluation_records import BASELINE, SSD, drafted, evaluation, record, written

from ssr.core.errors import InvalidRequest
from ssr.core.job import JobStatus
from ssr.core.ledger import Usage
from ssr.core.types import Mode
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult, cells_of, results_of
from ssr_bench.evaluation.statistics import wilson
from ssr_bench.evaluation.table import grids, markdown, setting


def cells(*records: Record) -> dict[str, CellResult]:
    ((_, found),) = results_of([evaluation(records)])
    return {one.label: one for one in found}


def runs(cell: Cell, outcomes: str, **changes: object) -> list[Record]:
    """One run a letter: r right, w wrong, - unanswered."""
    paths = [drafted(8.0, 2.0)] if cell.mode.drafts else written(100)
    return [
        record(cell, f"p{i}", letter == "r", answer="" if letter == "-" else "1", paths=paths, **changes)  # type: ignore[arg-type]
        for i, letter in enumerate(outcomes)
    ]


def test_accuracy_and_comparison() -> None:
    found = cells(*runs(BASELINE, "rrww"), *runs(SSD, "rwrr"))
    base, ssd = found["baseline"], found["ssd"]
    assert base.accuracy == wilson(0.5, 4)
    assert ssd.accuracy == wilson(0.75, 4)
    assert base.gain is None
    assert ssd.gain is not None
    assert (ssd.gain.only_first, ssd.gain.only_second, ssd.gain.p) == (2, 1, 1.0)
    assert (ssd.gain.pairs, ssd.gain.gain.value) == (4, 0.25)
    assert ssd.decode_ratio is not None
    assert ssd.decode_ratio.value == pytest.approx((20 * 1000 + 12 * 3000) / (100 * 3000))
    assert ssd.wall_ratio is not None
    assert ssd.wall_ratio.value == 1


def test_unanswered_partial_and_lost_runs() -> None:
    found = cells(*runs(BASELINE, "r-"), record(BASELINE, "p2", correct=False, status=JobStatus.FAILED))
    assert (found["baseline"].unanswered, found["baseline"].lost) == (1, 1)
    assert found["baseline"].accuracy.value == 0.5
    partial = cells(record(BASELINE, status=JobStatus.PARTIAL))
    assert partial["baseline"].partial == 1


def test_pass_at_k_over_repeats() -> None:
    repeats = [*runs(BASELINE, "rw"), *runs(BASELINE, "ww", repeat=1), *runs(BASELINE, "ww", repeat=2)]
    found = cells(*repeats)["baseline"]
    assert found.pass_at_k is not None
    assert (found.pass_at_k[0], found.pass_at_k[1].value) == (3, 0.5)
    assert found.accuracy.value == pytest.approx(1 / 6)
    assert cells(*runs(BASELINE, "rw"))["baseline"].pass_at_k is None


def test_a_baseline_from_elsewhere() -> None:
    mine, other = evaluation(runs(SSD, "rr")), evaluation(runs(BASELINE, "rw"), name="other")
    ((_, (alone,)),) = results_of([mine])
    assert alone.decode_ratio is None
    assert alone.gain is None
    ((_, (compared,)),) = results_of([mine], other)
    assert compared.decode_ratio is not None
    assert compared.gain is not None
    assert compared.gain.gain.value == 0.5
    with pytest.raises(InvalidRequest, match="^baseline: runs has no run of mode baseline"):
        results_of([other], mine)


def test_of_two_baselines_that_of_the_reference_counts() -> None:
    other = evaluation([*runs(BASELINE, "rr"), *runs(SSD, "rr")], name="other")
    found = cells_of([evaluation([*runs(BASELINE, "ww"), *runs(SSD, "rw")])], other)
    assert [(one.cell, one.accuracy.value) for one in found] == [(BASELINE, 1.0), (SSD, 0.5)]
    assert [one.cell for one in cells_of([other])] == [BASELINE, SSD]


def test_labels_report_how_many_paths_and_where_from_if_need_be() -> None:
    ssr = Cell(mode=Mode.SSR, threshold=7.0)
    first = evaluation([record(ssr, paths=[drafted(8.0), drafted(8.0)]), *runs(BASELINE, "r")], name="a")
    second = evaluation(runs(BASELINE, "r"), name="b")
    labels = [one.label for _, found in results_of([first, second]) for one in found]
    assert labels == ["ssr-2 t=7", "a: baseline", "b: baseline"]


def test_the_tables() -> None:
    found = results_of([evaluation([*runs(BASELINE, "rrww"), *runs(SSD, "rwrr")])])[0][1]
    accuracy, gains, compute, _, tokens, _ = grids(found)
    assert accuracy.rows[1] == ("ssd", "4", "3", "75.0%", "30.1% – 95.4%", "-", "0", "0", "5")
    ((name, pairs, points, _, differing, p, corrected, shown, _),) = gains.rows
    assert (name, pairs, points, differing, p, corrected) == ("ssd", "4", "+25.0", "2 / 1", "1.000", "1.000")
    assert shown == "not shown"
    assert compute.rows[0][:3] == ("baseline", "1.000", "1.000 – 1.000")
    assert compute.rows[1][-1] == "50.0%"
    assert tokens.rows[1][:6] == ("ssd", "20", "10", "10", "-", "10")


def test_the_papers_quantities_are_means_of_the_runs_that_have_them() -> None:
    costs = Usage(draft_token_flops=3e9, target_token_flops=6.4e10, rewrite_rate=0.25, gamma=1.5, gamma_without_spm=1.4)
    other = replace(costs, rewrite_rate=None, gamma=2.5, gamma_without_spm=2.4)
    runs_of_both = [record(SSD, problem=f"p{number}", usage=one) for number, one in enumerate((costs, other))]
    found = results_of([evaluation([*runs(BASELINE, "rr"), *runs_of_both])])[0][1]
    [quantities] = [grid for grid in grids(found) if "paper" in grid.title]
    assert quantities.rows == [
        ("baseline", "-", "-", "-", "-", "-"),
        ("ssd", "3e+09", "6.4e+10", "0.250", "2.000", "1.900"),
    ]


def test_the_documents() -> None:
    one = evaluation(runs(BASELINE, "r"), count=5)
    assert "incomplete: 4 runs are missing" in setting(one)
    text = markdown([one], grids(results_of([one])[0][1]))
    assert "| baseline | 1 | 1 | 100.0% |" in text
    grid = Grid("a < b", ("", "x|y"), [("<i>", "1")])
    assert "a &lt; b" in grid.html()
    assert "&lt;i&gt;" in grid.html()
    assert "x\\|y" in grid.markdown()
