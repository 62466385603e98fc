"""The engine pools, for whoever wants to see why a job waits."""

from __future__ import annotations

from ssr.autoscaler.policy.signals import Engines, Report, pool_signals
from ssr.autoscaler.reports import DecidedReplicas, View
from ssr.engines.load import Pool
from ssr.v1 import reasoning_pb2


def pools_of(view: View, ttl_s: float) -> reasoning_pb2.Pools:
    """What was reported in the last `ttl_s` seconds, and the newest decisions."""
    fresh = [report for report in view.reports if view.now - report.at <= ttl_s]
    return reasoning_pb2.Pools(pools=[_pool(pool, view, fresh, ttl_s) for pool in Pool])


def _pool(pool: Pool, view: View, fresh: list[Report], ttl_s: float) -> reasoning_pb2.Pool:
    load = pool_signals(pool, fresh, Engines(), view.now, ttl_s).load
    own = [report for report in fresh if report.service.pool is pool]
    decided = view.decided.get(pool)
    return reasoning_pb2.Pool(
        name=pool,
        reports=len(own),
        engines_ready=max((report.engines for report in own), default=0),
        calls_running=load.requests_running,
        calls_waiting=load.requests_waiting,
        tokens_per_s=load.tokens_per_s,
        decision=None if decided is None else _decision(decided, view.now),
    )


def _decision(decided: DecidedReplicas, now: float) -> reasoning_pb2.PoolDecision:
    return reasoning_pb2.PoolDecision(
        replicas=decided.replicas, reasons=decided.reasons, age_s=max(0.0, now - decided.at)
    )
