"""Scaling: what is known of each pool, what it needs, and what was decided."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge

from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.signals import PoolSignals
from ssr.engines.load import Pool
from ssr.runtime.telemetry.reasons import REASONS, reason_of


class ScalingMetrics:
    """An observer of the autoscaler's loop.

    Only the replica that leads has numbers of pools: when it stops leading they are taken away, so that nobody adds
    what it knew to what the next one knows.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, documentation: str, *labels: str) -> Gauge:
            return Gauge(f"ssr_scaling_{name}", documentation, labels, registry=registry)

        self._leader = gauge("leader", "Whether this replica decides.")
        self._replicas = gauge("replicas", "Engine replicas.", "pool", "state")
        self._demand = gauge("demand_slots", "Engine slots that the work needs.", "pool", "part")
        self._reports = gauge("reports", "Services that report a pool's load.", "pool", "state")
        self._requests = gauge("requests", "Engine calls.", "pool", "state")
        self._tokens = gauge("tokens", "Tokens of the engine calls.", "pool", "state")
        self._rewrite_rate = gauge("rewrite_rate", "Part of the verified steps that was rewritten.")
        self._rewrite_rate.set(math.nan)
        self._of_pools = (self._replicas, self._demand, self._reports, self._requests, self._tokens)
        self._decisions = Counter("ssr_scaling_decisions", "Decisions.", ("pool", "direction"), registry=registry)
        self._failures = Counter(
            "ssr_scaling_failures",
            "Decisions that could not be made or carried out.",
            ("pool", "reason"),
            registry=registry,
        )
        for pool in Pool:  # a rate is seen from the first one on
            for direction in ("up", "down", "hold"):
                self._decisions.labels(pool, direction)
            for reason in REASONS:
                self._failures.labels(pool, reason)

    def decided(self, pool: Pool, signals: PoolSignals, demand: Demand, before: int, decision: ScalingDecision) -> None:
        """`before` replicas there were, `decision.replicas` were asked for."""
        load, engines = signals.load, signals.engines
        self._set(self._replicas, pool, wanted=decision.replicas, ready=engines.ready, starting=engines.starting)
        self._set(
            self._demand,
            pool,
            steady=demand.steady,
            draining=demand.draining,
            waiting=demand.waiting,
            queued=demand.queued,
        )
        self._set(self._reports, pool, known=len(signals.loads), missing=len(signals.missing))
        self._set(self._requests, pool, waiting=load.requests_waiting, running=load.requests_running)
        self._set(self._tokens, pool, waiting=load.tokens_waiting, running=load.tokens_running)
        if pool is Pool.TARGET:
            rate = load.rewrite_rate
            self._rewrite_rate.set(math.nan if rate is None else rate)
        change = decision.replicas - before
        self._decisions.labels(pool, "up" if change > 0 else "down" if change < 0 else "hold").inc()

    def failed(self, pool: Pool, error: Exception) -> None:
        """A pool's engines could not be counted, or not be scaled."""
        self._failures.labels(pool, reason_of(error)).inc()

    def leading(self, leads: bool) -> None:
        """This replica decides from now on, or does so no more."""
        self._leader.set(leads)
        if not leads:
            for gauge in self._of_pools:
                gauge.clear()
            self._rewrite_rate.set(math.nan)

    def _set(self, gauge: Gauge, pool: Pool, **values: float) -> None:
        for label, value in values.items():
            gauge.labels(pool, label).set(value)
