"""A short day in virtual time: it repeats itself, and every policy brings it to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.engines.load import Pool
from ssr_bench.autoscale.day import BURST, ArrivalKind, DayOfLoad, Phase
from ssr_bench.autoscale.figures import WHOLE_DAY, figures_of
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport
from ssr_bench.autoscale.virtual import measure_virtually

DAY = DayOfLoad(
    (Phase("calm", 60, load=1), Phase(BURST, 240, load=20, ramp_s=10, kind=ArrivalKind.STRICT)), calm_jobs_per_s=0.02
)
PLAN = AutoscalePlan(DAY, Pace(1.0), (Policy.OURS, Policy.FIXED_PEAK), warm_up_jobs=4)


async def lived(plan: AutoscalePlan) -> AutoscaleReport:
    """The report of all policies."""
    return [report async for report in measure_virtually(plan)][-1]


async def test_a_day_repeats_itself_and_another_seed_is_another_day() -> None:
    plan = replace(PLAN, policies=(Policy.OURS,))
    first, again, other = await lived(plan), await lived(plan), await lived(replace(plan, seed=2))
    assert first.runs == again.runs
    assert [job.took_s for job in first.runs[0].jobs] != [job.took_s for job in other.runs[0].jobs]


async def test_replicas_come_when_asked_for_and_the_fleet_at_peak_answers_first() -> None:
    ours, peak = (await lived(PLAN)).runs
    asked = [life for life in ours.lives[Pool.TARGET] if life.asked_s > 0]
    assert asked, "twenty times the load, most drafts rewritten: one replica is not enough"
    assert all((life.ready_s or 1e9) - life.asked_s == pytest.approx(PLAN.startup_s) for life in asked if life.ready_s)
    assert all(decided.reasons for decided in ours.decisions)
    assert all(life.asked_s < 0 for pool in Pool for life in peak.lives[pool])
    assert peak.decisions == ()
    of_ours, of_peak = figures_of(AutoscaleReport(PLAN, {}, (ours, peak)))
    assert (of_ours.phases[WHOLE_DAY].p95_s or 0.0) > (of_peak.phases[WHOLE_DAY].p95_s or 0.0)


@pytest.mark.parametrize("policy", [policy for policy in Policy if not policy.fixed and policy is not Policy.OURS])
async def test_every_rule_scales_and_answers_every_job(policy: Policy) -> None:
    run = (await lived(replace(PLAN, policies=(Policy.OURS, policy)))).runs[-1]
    assert run.policy is policy
    assert {job.status for job in run.jobs} == {"ANSWERED"}
    assert any(life.asked_s > 0 for life in run.lives[Pool.TARGET])
