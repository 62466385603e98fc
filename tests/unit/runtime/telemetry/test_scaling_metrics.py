"""What is shown of decisions, and what is taken away with the lead."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry

from ssr.autoscaler.metrics import ScalingMetrics
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.signals import Engines, PoolSignals, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.core.errors import Permanent, Unavailable
from ssr.engines.load import Load, Pool

ENGINES = Engines(ready=2, starting=1)
LOAD = Load(requests_waiting=4, requests_running=6, tokens_running=900, verified_per_s=8.0, rewritten_per_s=2.0)
SIGNALS = PoolSignals(Pool.TARGET, {Service.VERIFIER: LOAD}, ENGINES)


def decision(replicas: int) -> ScalingDecision:
    return ScalingDecision(replicas, (), ScalingState.fresh(ENGINES, 0.0))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_decision_shows_what_it_was_made_of(registry: CollectorRegistry) -> None:
    metrics = ScalingMetrics(registry)
    metrics.leading(True)
    metrics.decided(Pool.TARGET, SIGNALS, Demand(steady=6.0, queued=1.5), 3, decision(4))

    def reported(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ssr_scaling_{name}", labels)

    assert reported("leader") == 1
    assert [reported("replicas", pool="target", state=state) for state in ("wanted", "ready", "starting")] == [4, 2, 1]
    parts = ("steady", "draining", "waiting", "queued")
    assert [reported("demand_slots", pool="target", part=part) for part in parts] == [6.0, 0.0, 0.0, 1.5]
    assert [reported("requests", pool="target", state=state) for state in ("waiting", "running")] == [4, 6]
    assert reported("tokens", pool="target", state="running") == 900
    assert reported("reports", pool="target", state="known") == 1
    assert reported("reports", pool="target", state="missing") == len(SIGNALS.missing)
    assert reported("rewrite_rate") == 0.25


def test_directions_and_failures_are_counted(registry: CollectorRegistry) -> None:
    metrics = ScalingMetrics(registry)
    for replicas in (4, 2, 3, 3):
        metrics.decided(Pool.DRAFT, PoolSignals(Pool.DRAFT, {}), Demand(), 3, decision(replicas))
    metrics.failed(Pool.DRAFT, Unavailable("the API is away"))
    metrics.failed(Pool.DRAFT, Permanent("no right to"))

    def counted(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ssr_scaling_{name}_total", {"pool": "draft", **labels})

    assert [counted("decisions", direction=direction) for direction in ("up", "down", "hold")] == [1, 1, 2]
    assert [counted("failures", reason=reason) for reason in ("unavailable", "refused")] == [1, 1]


def test_who_leads_no_more_reports_nothing_of_pools(registry: CollectorRegistry) -> None:
    metrics = ScalingMetrics(registry)
    metrics.leading(True)
    metrics.decided(Pool.TARGET, SIGNALS, Demand(), 3, decision(4))
    metrics.leading(False)
    assert registry.get_sample_value("ssr_scaling_leader") == 0
    assert registry.get_sample_value("ssr_scaling_replicas", {"pool": "target", "state": "wanted"}) is None
    rate = registry.get_sample_value("ssr_scaling_rewrite_rate")
    assert rate is not None
    assert math.isnan(rate)
