"""`ssr bench`: small measurements of real stacks. What they come to is not judged, only that it is complete."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ssr_bench.burst import BurstPlan, measure_burst
from ssr_bench.cancellation import CancellationPlan, measure_cancellation
from ssr_bench.cli.app import bench_app
from ssr_bench.overhead import LOAD_GENERATOR, OverheadPlan, OverheadReport, measure_overhead
from ssr_bench.overhead_table import overhead_table
from ssr_bench.report_json import report_json

PARTS = ("redis", "draft-engine", "target-engine", "selector", "drafter", "verifier", "orchestrator")


async def test_overhead_is_reported_by_part_and_above_its_floor() -> None:
    plan = OverheadPlan(jobs=(2,), paths=2, steps=3, seconds=2.0, warm_up_s=0.3, floor_s=0.1)
    report = await measure_overhead(plan)
    (level,) = report.levels
    assert level.steps > 0
    assert level.stuck_jobs == 0
    assert level.seconds >= plan.seconds
    assert level.steps_per_s == level.steps / level.seconds
    assert 0 < level.step_ms.p50 <= level.step_ms.p99 <= level.step_ms.max
    assert level.step_ms.count < level.steps  # a path's first step is no interval
    assert set(level.cpu_ms_per_step) == {*PARTS, LOAD_GENERATOR}
    assert all(value >= 0 for value in level.cpu_ms_per_step.values())
    assert level.stack_cpu_ms > 0
    assert {call.in_flight for call in report.floor.calls()} == {1, 64}
    assert all(call.latency_ms.count > 0 and call.elapsed_ms > 0 for call in report.floor.calls())
    assert _reported(report)["levels"][0]["steps_per_s"] == level.steps_per_s
    assert overhead_table(report)


async def test_a_burst_beyond_the_room_is_borne() -> None:
    report = await measure_burst(BurstPlan(jobs=40, within_s=0.1, batch_jobs=10, capacity=20, steps=2))
    assert report.admitted + report.refused == 40
    assert report.refused > 0
    assert sum(report.outcomes.values()) == 10 + report.admitted
    assert report.retry_after_s.count == report.refused
    assert report.interactive_start_s > 0
    assert report.borne


async def test_cancellations_and_deadlines_reach_the_engine() -> None:
    report = await measure_cancellation(CancellationPlan(trials=2, deadline_s=0.3))
    for figures in (report.cancel_ms, report.deadline_ms):
        assert figures.count == 2
        assert 0 < figures.p50 <= figures.max


def test_lookaheads_are_compared_side_by_side() -> None:
    few = ("--model-jobs", "3", "--paths", "2")
    result = CliRunner().invoke(bench_app, ["overhead", "--latency-model", *few, "--json"])
    assert result.exit_code == 0
    reported = json.loads(result.stdout)
    assert [one["lookahead"] for one in reported["lookaheads"][:3]] == [0, 1, None]
    assert [one["model"]["draft_s"] for one in reported["lookaheads"][::3]] == [0.3, 0.3, 0.6, 0.6]
    assert [model["rewritten"] for model in reported["plan"]["models"]] == [0.3, 0.1, 0.3, 0.1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["overhead", "--jobs", "1,x"], "jobs: '1,x' is no list of numbers"),
        (["overhead", "--jobs", "0"], "jobs: must be numbers within 1..4096"),
        (["overhead", "--latency-model", "--lookahead", "0,9"], "lookahead: must be numbers within 0..4 or adaptive"),
        (["burst", "--capacity", "10"], "capacity: must be over batch_jobs=1000"),
        (["cancellation", "--trials", "0"], "trials: must be within 1..10000"),
    ],
)
def test_bad_input_names_the_field(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bench_app, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def _reported(report: OverheadReport) -> dict[str, list[dict[str, float]]]:
    reported: dict[str, list[dict[str, float]]] = json.loads(json.dumps(report_json(report)))
    return reported
