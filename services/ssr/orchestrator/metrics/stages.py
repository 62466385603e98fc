"""The stages of a step: an orchestrator's calls to selector, drafter and verifier."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Histogram

from ssr.runtime.telemetry.reasons import REASONS, reason_of

#: Of one stage, in seconds.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 120, 300)


class Stage(StrEnum):
    """What a service is called for."""

    SELECT = "select"
    DRAFT = "draft"
    VERIFY = "verify"
    WRITE = "write"
    STRATEGY_SETS = "strategy_sets"  #: which strategy sets there are, asked where a job comes in
    MEASURE = "measure"  #: how many tokens a problem has, asked there too


class StageMetrics:
    """Calls as the orchestrator sees them: with all their attempts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "ssr_stage_duration_seconds",
            "A call to a service, all attempts included.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._seconds = {stage: seconds.labels(stage) for stage in Stage}
        labels = ("stage", "reason")
        self._retries = Counter("ssr_stage_retries", "Attempts that were made again.", labels, registry=registry)
        self._failures = Counter("ssr_stage_failures", "Calls that failed for good.", labels, registry=registry)
        for stage in Stage:  # a rate is seen from the first one on
            for reason in REASONS:
                self._retries.labels(stage, reason)
                self._failures.labels(stage, reason)

    def succeeded(self, stage: Stage, seconds: float) -> None:
        self._seconds[stage].observe(seconds)

    def tried_again(self, stage: Stage, error: Exception) -> None:
        self._retries.labels(stage, reason_of(error)).inc()

    def failed(self, stage: Stage, error: Exception) -> None:
        self._failures.labels(stage, reason_of(error)).inc()
