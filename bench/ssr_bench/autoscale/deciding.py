"""What each policy begins its day with, and what decides for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from ssr.autoscaler.actuator import Actuator
from ssr.autoscaler.loop import Autoscaler, Reports
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings
from ssr.autoscaler.policy.signals import PoolSignals
from ssr.core.errors import SsrError
from ssr.engines.load import Pool
from ssr_bench.autoscale.hpa import Hpa
from ssr_bench.autoscale.need import measured_need
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.rule_scaler import RuleScaler
from ssr_bench.autoscale.rules import (
    ApaRule,
    DynamoRule,
    HpaRule,
    Rule,
    llm_d_guarded,
    llm_d_replicas,
    waiting_calls,
)
from ssr_bench.autoscale.run import DayRun, DecidedAt

#: Between two looks of the rules that are no HPA, in seconds of the day, and how far back AIBrix looks.
_APA_TICK_S, _APA_WINDOW_S, _DYNAMO_TICK_S = 10.0, 180.0, 5.0


class Decider(Protocol):
    """Decides until cancelled."""

    async def run(self) -> None: ...


def first_replicas(plan: AutoscalePlan, policy: Policy, ours: DayRun | None) -> Mapping[Pool, int]:
    """How many each pool begins with; `ours` is the day of ours, for the fleets that are sized by it."""
    if policy.fixed:
        assert ours is not None  # the plan has ours, and it comes first
        return peaks(plan, ours) if policy is Policy.FIXED_PEAK else _as_costly(plan, ours)
    return {pool: limits.min_replicas for pool, limits in plan.limits.items()}


def peaks(plan: AutoscalePlan, ours: DayRun) -> Mapping[Pool, int]:
    """The most that the day of ours needed."""
    need = measured_need(plan.day, plan.limits, ours.jobs)
    return {pool: need.peak(pool) for pool in Pool}


def _as_costly(plan: AutoscalePlan, ours: DayRun) -> Mapping[Pool, int]:
    """A fixed fleet that is paid for as much as ours, or a little more."""
    day_s = plan.day.seconds
    return {pool: math.ceil(sum(life.paid_s(day_s) for life in lives) / day_s) for pool, lives in ours.lives.items()}


def decider_of(
    plan: AutoscalePlan,
    policy: Policy,
    reports: Reports,
    actuator: Actuator,
    settings: ScalingSettings,
    decisions: list[DecidedAt],
    day_s: Callable[[], float],
) -> Decider | None:
    """What decides under a policy; None for a fixed fleet.

    `settings` are those of ours, in real time; its changes are added to `decisions` at the times of `day_s`.
    """
    if policy.fixed:
        return None
    if policy.ours:
        return Autoscaler(reports, actuator, settings, observers=[_Listener(decisions, day_s)])
    every_s = {Policy.AIBRIX: _APA_TICK_S, Policy.DYNAMO: _DYNAMO_TICK_S}.get(policy)
    return RuleScaler(
        reports,
        actuator,
        {pool: _rule(plan, policy, limits) for pool, limits in plan.limits.items()},
        every_s=plan.hpa().sync_s if every_s is None else plan.pace.real_s(every_s),
        report_ttl_s=settings.report_ttl_s,
    )


def _rule(plan: AutoscalePlan, policy: Policy, limits: ScalingLimits) -> Rule:
    slots, most, used = limits.slots, limits.max_replicas, limits.utilisation
    match policy:
        case Policy.LLM_D:
            return HpaRule(Hpa(plan.llm_d()), llm_d_replicas)
        case Policy.LLM_D_GUARD:
            return HpaRule(Hpa(plan.llm_d_guard()), llm_d_guarded(slots * used))
        case Policy.AIBRIX:
            return ApaRule(slots, most, used, plan.pace.real_s(_APA_WINDOW_S))
        case Policy.DYNAMO:
            return DynamoRule(slots, most)
        case _:
            return HpaRule(Hpa(plan.hpa()), waiting_calls)


class _Listener:
    """Implements `autoscaler.loop.Observer`: notes what changes."""

    def __init__(self, decisions: list[DecidedAt], day_s: Callable[[], float]) -> None:
        self._decisions, self._day_s = decisions, day_s

    def decided(self, pool: Pool, signals: PoolSignals, demand: Demand, before: int, decision: ScalingDecision) -> None:
        if decision.replicas != before:
            self._decisions.append(DecidedAt(self._day_s(), pool, before, decision.replicas, decision.reasons))

    def failed(self, pool: Pool, error: SsrError) -> None:
        """The loop logs it, and goes on."""
