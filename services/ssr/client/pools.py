"""The engine pools, as a server reports them."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.v1 import reasoning_pb2


@dataclass(frozen=True, slots=True)
class PoolDecision:
    """The autoscaler asks for `replicas` engines, decided `age_s` seconds ago; `reasons` are sentences for people."""

    replicas: int
    reasons: tuple[str, ...]
    age_s: float


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The engines of one model ("draft", "target"), and the calls that the services have for them.

    `reports` replicas of services reported lately; where these are 0, nothing is known but the decision. Of the calls
    `calls_running` are on an engine, `calls_waiting` have no place on one yet. `decision` is None where there is no
    autoscaler.
    """

    name: str
    reports: int
    engines_ready: int
    calls_running: int
    calls_waiting: int
    tokens_per_s: float
    decision: PoolDecision | None = None


def pools_from_wire(message: reasoning_pb2.Pools) -> tuple[PoolStatus, ...]:
    return tuple(map(_pool, message.pools))


def _pool(message: reasoning_pb2.Pool) -> PoolStatus:
    decision = message.decision
    return PoolStatus(
        message.name,
        message.reports,
        message.engines_ready,
        message.calls_running,
        message.calls_waiting,
        message.tokens_per_s,
        PoolDecision(decision.replicas, tuple(decision.reasons), decision.age_s)
        if message.HasField("decision")
        else None,
    )
