"""The engines of a pool, as one replica of a service that calls them sees them."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram

from ssr.engines.call_observer import EngineCallKind
from ssr.engines.load import Pool
from ssr.runtime.telemetry.readings import Readings
from ssr.runtime.telemetry.reasons import REASONS

#: Of an engine call, in seconds: one token of a warm engine to a long step of a busy one.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60, 120)


#: How an attempt may end: well, cut off (cancelled, or out of time), or with an error.
OUTCOMES = ("ok", "cut_off", *REASONS)


class EngineMetrics:
    """Calls (with the wait for a place and all attempts), attempts, and what is read of a pool."""

    def __init__(self, registry: CollectorRegistry, pool: Pool) -> None:
        self._registry, self._pool = registry, pool
        labels = ("pool", "kind")
        calls = Histogram(
            "ssr_engine_call_duration_seconds",
            "A call, the wait for an engine and all attempts included.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        attempts = Histogram(
            "ssr_engine_attempt_duration_seconds",
            "One attempt on one engine.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self._calls = {kind: calls.labels(pool, kind) for kind in EngineCallKind}
        self._attempts = {kind: attempts.labels(pool, kind) for kind in EngineCallKind}
        self._outcomes = Counter("ssr_engine_attempts", "Attempts.", (*labels, "outcome"), registry=registry)
        self._by_outcome: dict[tuple[EngineCallKind, str], Counter] = {
            (kind, outcome): self._outcomes.labels(pool, kind, outcome)
            for kind in EngineCallKind
            for outcome in OUTCOMES  # from the start: a rate is seen from the first one on
        }

    def read(
        self,
        *,
        waiting: Callable[[], int],
        running: Callable[[], int],
        replicas: Callable[[], tuple[int, int]],
        generated: Callable[[], int],
    ) -> None:
        """Where to read calls `waiting` and `running`, `replicas` known and healthy, and tokens `generated` so far."""
        pool, registry = self._pool, self._registry
        of = ("pool",)
        Readings("ssr_engine_calls_waiting", "Calls without a place.", of, lambda: [((pool,), waiting())], registry)
        Readings("ssr_engine_calls_running", "Calls on an engine.", of, lambda: [((pool,), running())], registry)
        Readings(
            "ssr_engine_replicas",
            "Engine replicas.",
            ("pool", "state"),
            lambda: [((pool, state), count) for state, count in zip(("known", "healthy"), replicas(), strict=True)],
            registry,
        )
        Readings(
            "ssr_engine_generated_tokens",
            "Tokens generated.",
            of,
            lambda: [((pool,), generated())],
            registry,
            counts=True,
        )

    def called(self, kind: EngineCallKind, seconds: float) -> None:
        self._calls[kind].observe(seconds)

    def attempted(self, kind: EngineCallKind, outcome: str, seconds: float) -> None:
        """`outcome` is one of OUTCOMES."""
        self._attempts[kind].observe(seconds)
        self._by_outcome[kind, outcome].inc()
