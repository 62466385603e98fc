"""What the measurements refuse, and the figures they compute."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ssr.core.errors import InvalidRequest
from ssr.engine_server.simulated.script import plan_of
from ssr.v1 import step_pb2
from ssr_bench.burst import BurstPlan, BurstReport
from ssr_bench.cancellation import CancellationPlan
from ssr_bench.load import Tally
from ssr_bench.memory import MemoryFigures
from ssr_bench.overhead import LOAD_GENERATOR, Level, OverheadPlan
from ssr_bench.problems import sum_problem
from ssr_bench.statistics import Summary

NOTHING = Summary.of([])


@pytest.mark.parametrize(
    ("plan", "limits", "field"),
    [
        (OverheadPlan, {"jobs": ()}, "jobs"),
        (OverheadPlan, {"jobs": (1, 0)}, "jobs"),
        (OverheadPlan, {"paths": 17}, "paths"),
        (OverheadPlan, {"steps": 0}, "steps"),
        (OverheadPlan, {"seconds": math.nan}, "seconds"),
        (OverheadPlan, {"warm_up_s": -1.0}, "warm_up_s"),
        (BurstPlan, {"jobs": 0}, "jobs"),
        (BurstPlan, {"capacity": 1000}, "capacity"),
        (BurstPlan, {"within_s": math.nan}, "within_s"),
        (CancellationPlan, {"trials": 0}, "trials"),
        (CancellationPlan, {"deadline_s": 0.0}, "deadline_s"),
    ],
)
def test_a_plan_out_of_its_limits_is_refused_by_name(plan: Any, limits: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        plan(**limits)


def test_a_level_reports_rates_and_the_cpu_of_the_parts_alone() -> None:
    level = Level(
        jobs=16,
        paths=1,
        seconds=4.0,
        steps=200,
        finished_jobs=20,
        stuck_jobs=0,
        rewritten_share=0.3,
        step_ms=NOTHING,
        cpu_ms_per_step={"redis": 0.25, "drafter": 1.5, "draft-engine": 0.5, LOAD_GENERATOR: 9.0},
        memory=MemoryFigures({}, 0.0, 0.0),
        floor_cpu_ms=1.0,
        floor_ms=None,
    )
    assert (level.steps_per_s, level.jobs_per_s) == (50.0, 5.0)
    assert (level.stack_cpu_ms, level.own_cpu_ms) == (2.25, 1.75)


def test_a_tally_counts_steps_in_its_window_only() -> None:
    tally = Tally()
    rewritten = step_pb2.Step(source=step_pb2.STEP_SOURCE_REWRITTEN)
    tally.step(rewritten, 0.5)
    tally.counting = True
    tally.step(rewritten, None)
    tally.step(step_pb2.Step(source=step_pb2.STEP_SOURCE_DRAFT), 0.25)
    tally.end()
    tally.counting = False
    tally.end()
    assert (tally.steps, tally.rewritten_steps, tally.gaps_s) == (2, 1, [0.25])
    assert (tally.jobs, tally.finished) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "borne"),
    [
        ({}, True),
        ({"died": ("drafter",)}, False),
        ({"refused_without_delay": 1}, False),
        ({"outcomes": {"JOB_STATUS_FAILED": 1}}, False),
        ({"outcomes": {"NOT_ENDED": 1}}, False),
    ],
)
def test_a_burst_is_borne_when_nothing_is_lost(changes: dict[str, Any], borne: bool) -> None:
    figures: dict[str, Any] = {
        "plan": BurstPlan(),
        "interactive_start_s": 0.2,
        "batch_unfinished": 990,
        "sent_within_s": 1.0,
        "admitted": 2,
        "refused": 1,
        "refused_without_delay": 0,
        "retry_after_s": NOTHING,
        "submit_s": NOTHING,
        "settled_s": 3.0,
        "outcomes": {"JOB_STATUS_ANSWERED": 1, "JOB_STATUS_NO_ANSWER": 1},
        "died": (),
    }
    assert BurstReport(**(figures | changes)).borne is borne


def test_problems_differ_and_have_as_many_calculations_as_asked() -> None:
    problems = [sum_problem(number, 12) for number in range(2_000)]
    assert len(set(problems)) == len(problems)
    assert all(len(plan_of(problem).operations) == 12 for problem in problems[:20])
