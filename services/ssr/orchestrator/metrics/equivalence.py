"""How answers are compared: by what, how long questions wait for a worker, and what becomes of the workers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from ssr.orchestrator.equivalence.checker import Way

#: In the queue of the workers, in seconds.
_WAIT_SECONDS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class EquivalenceMetrics:
    """Implements `equivalence.checker.EquivalenceRecords`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._questions = Counter(
            "ssr_equivalence_questions",
            "Pairs of answers that were compared, by what decided them.",
            ("way",),
            registry=registry,
        )
        self._killed = Counter(
            "ssr_equivalence_killed",
            "Questions that a limit ended, by that limit (cpu, memory, time, crash).",
            ("limit",),
            registry=registry,
        )
        self._wait = Histogram(
            "ssr_equivalence_wait_seconds",
            "From a question to the first worker that takes it.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._restarts = Counter(
            "ssr_equivalence_worker_restarts", "Workers that were lost, or did not start.", registry=registry
        )
        for way in Way:  # a rate is seen from the first one on
            self._questions.labels(way)
        for limit in ("cpu", "memory", "time", "crash"):
            self._killed.labels(limit)

    def decided(self, way: Way) -> None:
        self._questions.labels(way).inc()

    def waited(self, seconds: float) -> None:
        self._wait.observe(seconds)

    def killed(self, limit: str) -> None:
        self._killed.labels(limit).inc()

    def restarted(self) -> None:
        self._restarts.inc()
