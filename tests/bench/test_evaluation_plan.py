"""Which runs a plan has, in which order, and when two plans are one."""

from __future__ import annotations

from collections import Counter

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode, StopRule
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.evaluation.plan import Cell, Plan, WantedCells, make_plan, run_seed

PROBLEMS = [Problem(f"p{number}", f"What is {number}?", str(number)) for number in range(4)]


def test_dimensions_multiply_the_modes_they_matter_in() -> None:
    modes = ("draft", "baseline", "parallel", "parallel-spm", "ssd", "ssr")
    cells = WantedCells(modes, (1, 3), ("full", "fast-2"), (5, 7, 9), ("expected", "judge")).cells()
    counts = Counter(cell.mode for cell in cells)
    # 3 for parallel: one path, where no rule matters, and three with two rules
    assert counts == {
        Mode.DRAFT: 1,
        Mode.BASELINE: 1,
        Mode.PARALLEL: 3,
        Mode.PARALLEL_SPM: 3,
        Mode.SSD: 6,
        Mode.SSR: 18,
    }
    assert Cell(mode=Mode.SSR, paths=3, stop_rule=StopRule.FAST_2, threshold=9.0, scorer="judge") in cells


def test_doubles_are_one() -> None:
    assert len(WantedCells(("baseline", "baseline", "ssr"), (3, 3)).cells()) == 2


def test_what_is_left_out_is_the_servers() -> None:
    (cell,) = WantedCells(("ssr",)).cells()
    assert cell.options() == {"mode": "ssr"}
    assert cell.label == "ssr"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (WantedCells(()), "modes"),
        (WantedCells(("best",)), "modes"),
        (WantedCells(("ssr",), (17,)), "paths"),
        (WantedCells(("ssr",), stop_rules=("slow",)), "stop-rule"),
        (WantedCells(("ssd",), thresholds=(10,)), "threshold"),
        (WantedCells(("ssd",), scorers=("gut feeling",)), "scorer"),
    ],
)
def test_what_is_unknown_or_out_of_limits_is_named(wanted: WantedCells, field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: "):
        make_plan("d", PROBLEMS, wanted)


def test_a_reserve_is_for_the_cells_that_have_one() -> None:
    cells = WantedCells(("parallel", "ssd", "ssr"), (1, 3), reserves=(0, 1)).cells()
    assert [cell.label for cell in cells] == ["parallel-1", "parallel-3", "ssd", "ssr-1", "ssr-3", "ssr-3 1 in reserve"]
    assert cells[-1].options() == {"mode": Mode.SSR, "paths": 3, "reserve": 1}
    with pytest.raises(InvalidRequest, match="^reserve: "):
        WantedCells(("ssr",), (3,), reserves=(3,)).cells()


def test_options_of_every_job() -> None:
    plan = make_plan("d", PROBLEMS, WantedCells(("ssr",)), options={"max_path_tokens": 100, "early_stop": True})
    options = plan.solve_options(next(plan.runs(PROBLEMS)))
    assert options["max_path_tokens"] == 100
    assert options["early_stop"] is True
    assert options["deadline_s"] == plan.timeout_s
    with pytest.raises(InvalidRequest, match="^max_path_tokens: "):
        make_plan("d", PROBLEMS, WantedCells(("ssr",)), options={"max_path_tokens": 0})
    with pytest.raises(InvalidRequest, match="^option: mode has an option of its own"):
        make_plan("d", PROBLEMS, WantedCells(("ssr",)), options={"mode": "ssd"})


def test_every_run_once_and_no_cell_always_first() -> None:
    plan = make_plan("d", PROBLEMS, WantedCells(("draft", "baseline", "ssd")), repeats=2)
    runs = list(plan.runs(PROBLEMS))
    assert len({(run.cell, run.problem.id, run.repeat) for run in runs}) == len(runs) == 4 * 3 * 2
    firsts = Counter(run.cell for run in runs[::3])
    assert set(firsts) == set(plan.cells)


def test_seeds_are_a_runs_own() -> None:
    plan = make_plan("d", PROBLEMS, WantedCells(("draft", "baseline")), repeats=2, seed=5)
    seeds = [run.seed for run in plan.runs(PROBLEMS)]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [run.seed for run in plan.runs(PROBLEMS)]
    assert run_seed(5, plan.cells[0], "p0", 0) != run_seed(6, plan.cells[0], "p0", 0)
    unseeded = make_plan("d", PROBLEMS, WantedCells(("draft",)), seed=None)
    run = next(unseeded.runs(PROBLEMS))
    assert "seed" not in unseeded.solve_options(run)


def test_differences_are_named() -> None:
    plan = make_plan("d", PROBLEMS, WantedCells(("draft", "ssd"), thresholds=(7,)))
    assert plan.differences(Plan.model_validate_json(plan.model_dump_json())) == []
    other = make_plan("d", PROBLEMS[:3], WantedCells(("draft", "ssd"), thresholds=(8,)), repeats=2)
    assert plan.differences(other) == [
        "the problems (their texts, answers or order)",
        "count 4 (now 3)",
        "cells draft, ssd t=7 (now draft, ssd t=8)",
        "repeats 1 (now 2)",
    ]
