"""What the measurement's settings come to in real time, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ssr.autoscaler.policy.schedule import floor_at
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings
from ssr.core.errors import InvalidRequest
from ssr.engine_server.simulated.latency import LatencyModel
from ssr.engines.load import Pool
from ssr.v1 import reasoning_pb2
from ssr_bench.autoscale.day import BURST, FULL_DAY, QUICK_DAY
from ssr_bench.autoscale.engine_model import ENGINES, EngineModel
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy, read_policies

PLAN = AutoscalePlan(QUICK_DAY, Pace(30))
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()


def test_all_times_of_the_policy_get_shorter_and_nothing_else_changes() -> None:
    known, paced = ScalingLimits(slot_tokens_per_s=5), Pace(20).limits(ScalingLimits(slot_tokens_per_s=5))
    times = {"startup_s", "drain_s", "up_period_s", "up_window_s", "down_window_s", "down_period_s", "idle_s"}
    for name in ScalingLimits.model_fields:
        before, after = getattr(known, name), getattr(paced, name)
        expected = before / 20 if name in times else before * 20 if name == "slot_tokens_per_s" else before
        assert after == expected, name


def test_the_loop_has_its_own_times_shortened_too() -> None:
    paced = Pace(20).settings(ScalingSettings())
    assert (paced.interval_s, paced.report_ttl_s) == (0.25, 1.0)
    assert paced.draft == Pace(20).limits(ScalingLimits())


@pytest.mark.parametrize("second", [0.0, 13.7, 59.9])
def test_a_day_can_begin_so_that_its_burst_is_at_a_full_minute(second: float) -> None:
    begins = PLAN.day_begins(NOON + second)
    burst = begins + PLAN.pace.real_s(PLAN.day.start_of(BURST))
    assert burst % 60 == pytest.approx(0)
    assert 0 <= begins - (NOON + second) < 60


def test_the_schedules_replicas_serve_when_the_burst_begins() -> None:
    begins = PLAN.day_begins(NOON)
    scheduled = PLAN.scaling((PLAN.scheduled_burst(begins, {Pool.DRAFT: 6, Pool.TARGET: 7}),)).schedule
    begins_at, lead_s = begins + PLAN.pace.real_s(PLAN.day.start_of(BURST)), PLAN.pace.real_s(PLAN.startup_s)

    def floor(at: float) -> int | None:
        found = floor_at(scheduled, Pool.TARGET, at, lead_s)
        return None if found is None else found.replicas

    assert floor(begins_at - lead_s - 0.1) is None
    assert floor(begins_at - lead_s + 0.1) == 7
    assert floor(begins_at + PLAN.pace.real_s(300)) == 7
    assert floor(begins_at + PLAN.pace.real_s(340)) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"policies": (Policy.QUEUE,)}, "policies"),
        ({"policies": (Policy.OURS, Policy.OURS)}, "policies"),
        ({"seed": -1}, "seed"),
        ({"startup_s": 0.0}, "startup_s"),
        ({"max_replicas": 0}, "max_replicas"),
        ({"queue_target": 0.0}, "queue_target"),
        ({"settle_s": 0.0}, "settle_s"),
    ],
)
def test_a_plan_out_of_its_limits_is_refused_by_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        replace(PLAN, **change)


def test_policies_are_read_by_name() -> None:
    assert read_policies("ours, fixed-peak") == (Policy.OURS, Policy.FIXED_PEAK)
    with pytest.raises(InvalidRequest, match=r"^policies: 'keda' is none; known are ours, schedule, queue"):
        read_policies("ours,keda")


@pytest.mark.parametrize("engine", [*ENGINES.values()], ids=lambda engine: str(engine.pool))
def test_what_is_counted_as_work_is_what_the_simulated_engine_takes(engine: EngineModel) -> None:
    pace = Pace(20)
    latency = LatencyModel(engine.settings(pace).latency)
    used = reasoning_pb2.ModelUsage(model=engine.model_id, prompt_tokens=1500, cached_tokens=500, generated_tokens=40)
    took_s = latency.prefill_s(1000) + 40 * latency.decode_s(engine.slots)
    other = reasoning_pb2.ModelUsage(model="another", prompt_tokens=9, generated_tokens=9)
    assert pace.day_s(took_s) == pytest.approx(engine.slot_seconds([used, other]), rel=0.03)


def test_llm_d_has_windows_of_300_s_both_ways_and_doubles_at_most() -> None:
    hpa = AutoscalePlan(FULL_DAY, Pace(20)).llm_d()
    assert (hpa.target, hpa.up_step, hpa.up_factor) == (1.0, 0, 2.0)
    assert (hpa.up_window_s, hpa.down_window_s, hpa.sync_s) == (15.0, 15.0, 0.75)
