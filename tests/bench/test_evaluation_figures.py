"""What the figures draw, and that they are drawn; how they look is for people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evaluation_records import BASELINE, drafted, evaluation, record, written
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode, StopRule
from ssr_bench.evaluation import calibration_report, figures, series
from ssr_bench.evaluation.calibration import calibrations
from ssr_bench.evaluation.canvas import apart, blank, percent, whole_ticks
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.report import results_json, write_report
from ssr_bench.evaluation.results import CellResult, results_of
from ssr_bench.evaluation.suggestion import Trade, suggest

PNG = b"\x89PNG\r\n"


def solved(cell: Cell, right: int, count: int = 6) -> list[Record]:
    paths = [drafted(8.0, 2.0 + number % 3) for number in range(cell.paths or 1)]
    return [
        record(cell, f"p{i}", i < right, paths=paths if cell.mode.drafts else written(100), wall_s=1.0 + i,
               options={"mode": cell.mode, "paths": cell.paths or 1, "threshold": 5.0, "scorer": "judge"})
        for i in range(count)
    ]  # fmt: skip


def everything() -> list[Record]:
    cells = [
        BASELINE,
        Cell(mode=Mode.DRAFT),
        Cell(mode=Mode.SSD),
        *(Cell(mode=mode, paths=n) for mode in (Mode.PARALLEL, Mode.PARALLEL_SPM, Mode.SSR) for n in (3, 5)),
    ]
    return [one for number, cell in enumerate(cells) for one in solved(cell, number % 6)]


def results(records: list[Record]) -> tuple[CellResult, ...]:
    return results_of([evaluation(records, count=6)])[0][1]


def test_lines_over_paths_begin_with_one_path() -> None:
    ssr = [Cell(mode=Mode.SSR, paths=n, stop_rule=rule) for n in (3, 5) for rule in (StopRule.FULL, StopRule.FAST_1)]
    parallel = [Cell(mode=Mode.PARALLEL, paths=3)]
    cells = [BASELINE, Cell(mode=Mode.SSR, paths=1), Cell(mode=Mode.SSR, paths=1, threshold=7.0), *ssr, *parallel]
    lines = series.path_lines(results([one for cell in cells for one in solved(cell, 3)]))
    assert {name: [one.label for one in line] for name, line in lines.items()} == {
        "ssr full": ["ssr-1", "ssr-3 full", "ssr-5 full"],
        "ssr fast-1": ["ssr-1", "ssr-3 fast-1", "ssr-5 fast-1"],
        "parallel": ["baseline", "parallel-3"],
    }


def test_one_path_of_a_mode_itself_comes_before_the_baseline() -> None:
    cells = [Cell(mode=Mode.PARALLEL, paths=1), BASELINE, Cell(mode=Mode.PARALLEL, paths=3)]
    for order in (cells, [*cells[1:], cells[0]]):
        (line,) = series.path_lines(results([one for cell in order for one in solved(cell, 3)])).values()
        assert [one.label for one in line] == ["parallel-1", "parallel-3"]


def test_selection_is_compared_with_as_many_paths() -> None:
    assert [(a.label, b.label) for a, b in series.spm_pairs(results(everything()))] == [
        ("parallel-3", "parallel-spm-3"),
        ("parallel-5", "parallel-spm-5"),
    ]


def test_histograms_count_every_judged_draft() -> None:
    (found,) = series.score_histograms(results(solved(Cell(mode=Mode.SSD), 3)))
    assert (found.scorer, found.count, found.thresholds) == ("judge", 12, (5.0,))
    shares = {edge: share for edge, share in zip(found.edges, found.shares, strict=False) if share}
    assert shares == {2.0: 0.5, 8.0: 0.5}
    assert found.cumulative[3] == 0.0
    assert found.cumulative[4] == 0.5
    assert found.cumulative[-1] == 1.0


def test_rewrites_by_step() -> None:
    (ssd,) = results(solved(Cell(mode=Mode.SSD), 3))
    assert [(index, rate.value) for index, rate in series.rewrite_rates(ssd)] == [(0, 0.0), (1, 1.0)]
    (few,) = results(solved(Cell(mode=Mode.SSD), 1, count=4))
    assert series.rewrite_rates(few) == []


def test_an_unanswered_run_never_answers() -> None:
    records = solved(BASELINE, 3, count=4)
    records[1] = records[1].model_copy(update={"answer": ""})
    assert series.answered_by(results(records)[0]) == ([0.0, 1.0, 3.0, 4.0], [0.0, 0.25, 0.5, 0.75])


def test_the_report_is_one_page_with_its_figures_in_it(tmp_path: Path) -> None:
    write_report([evaluation(everything(), name="<runs>", count=6)], tmp_path / "report")
    names = {"accuracy-compute", "accuracy-paths", "selection", "scores", "rewrites", "time"}
    files = {file.name for file in (tmp_path / "report").iterdir()}
    forms = ("png", "svg", "pdf", "csv")
    assert files == {"report.html", "table.md", *(f"{name}.{form}" for name in names for form in forms)}
    assert all((tmp_path / "report" / f"{name}.png").read_bytes().startswith(PNG) for name in names)
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(names)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "&lt;runs&gt;" in page
    assert "ssr-5" in (tmp_path / "report" / "table.md").read_text()


def test_figures_without_data_are_named(tmp_path: Path) -> None:
    write_report([evaluation(solved(BASELINE, 3), count=6)], tmp_path)
    assert not (tmp_path / "scores.png").exists()
    assert "no data for" in (tmp_path / "report.html").read_text()
    with pytest.raises(InvalidRequest, match="no run has ended yet"):
        write_report([evaluation([])], tmp_path)


def test_the_calibration_is_written(tmp_path: Path) -> None:
    found = results(everything())
    reported = calibrations(found)
    calibration_report.write_calibration(found, reported, suggest(found, reported, Trade(0.0, 10.0)), tmp_path)
    files = {f"{name}.{form}" for name in ("reliability", "thresholds") for form in ("png", "svg", "pdf", "csv")}
    assert {file.name for file in tmp_path.iterdir()} == {"calibration.md", *files}
    assert "ssr solve --mode" in (tmp_path / "calibration.md").read_text()


def both() -> list[CellResult]:
    """Two data sets, each with its own baseline."""
    found: list[CellResult] = []
    for name, right in (("easy", 5), ("hard", 1)):
        records = [*solved(BASELINE, right), *solved(Cell(mode=Mode.PARALLEL, paths=3), right)]
        renamed = [one.model_copy(update={"dataset": name}) for one in records]
        found += results_of([evaluation(renamed, name=f"runs-{name}", count=6)])[0][1]
    return found


def test_each_data_set_has_its_own_axes_that_say_how_many_problems_it_has() -> None:
    drawn = {one.name: one for one in figures.drawings(both())[0]}
    svg = drawn["accuracy-paths"].svg.decode()
    assert "easy, 6 problems" in svg
    assert "hard, 6 problems" in svg
    assert {"baseline of runs-easy", "baseline of runs-hard"} <= set(re.findall(r"baseline of runs-\w+", svg))


def test_the_rows_beside_a_figure_are_what_it_draws() -> None:
    found = both()
    drawn = {one.name: one for one in figures.drawings(found)[0]}
    lines = drawn["accuracy-compute"].csv.splitlines()
    assert lines[0] == "data set,panel,number,cell,ratio,ratio low,ratio high,accuracy,low,high"
    assert len(lines) == 1 + 2 * len(found)
    easy = next(line for line in lines if line.startswith("easy,generated tokens,1,"))
    estimate = found[0].accuracy
    assert easy.split(",")[-3:] == [str(estimate.value), str(estimate.low), str(estimate.high)]


def test_a_figure_is_the_same_again() -> None:
    first, second = (figures.drawings(results(solved(Cell(mode=Mode.SSD), 3)))[0] for _ in range(2))
    assert first == second


@given(st.lists(st.tuples(st.floats(40, 360), st.floats(40, 260)), min_size=1, max_size=14))
def test_numbers_never_collide(points: list[tuple[float, float]]) -> None:
    widths = [6.0 * len(str(place)) for place in range(len(points))]
    boxes = [
        (x + dx - width / 2, y + dy - 5, x + dx + width / 2, y + dy + 5)
        for (x, y), width, (dx, dy) in zip(points, widths, apart(points, widths, (0, 0, 400, 300)), strict=True)
    ]
    for place, a in enumerate(boxes):
        assert min(a[:2]) >= 0
        assert a[2] <= 400
        assert a[3] <= 300
        for b in boxes[place + 1 :]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_ticks_of_steps_and_digits_are_whole_and_shares_begin_at_zero() -> None:
    figure, (axes,) = blank()
    axes.plot([1, 2, 3], [0.5, 0.6, 0.7])
    whole_ticks(axes)
    percent(axes, "share", 1.0)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert axes.get_ylim() == (0.0, 1.0)
    assert figure.axes == [axes]


def test_results_as_json_have_every_number_and_no_record() -> None:
    found = results_json([evaluation(everything(), count=6)], None, 0.05)
    cells = {one["label"]: one for one in found["cells"]}
    assert "records" not in cells["ssd"]
    assert (cells["ssd"]["dataset"], cells["ssd"]["runs"]) == ("d", 6)
    assert cells["baseline"]["gain"] is None
    gain = cells["ssd"]["gain"]
    assert {"gain", "p", "p_holm", "no_loss_p", "no_loss_p_holm", "margin"} <= set(gain)
    assert gain["p"] <= gain["p_holm"]
    assert json.loads(json.dumps(found)) == found
