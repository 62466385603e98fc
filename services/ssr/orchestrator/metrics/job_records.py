"""What is measured of jobs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from ssr.core.types import Options
from ssr.orchestrator.metrics.jobs import JobMetrics
from ssr.orchestrator.metrics.stages import StageMetrics
from ssr.orchestrator.metrics.steps import StepMetrics
from ssr.orchestrator.queue.job_store import Claim
from ssr.runtime.telemetry.telemetry import Telemetry
from ssr.runtime.telemetry.tracing import Span, Tracing


@dataclass(frozen=True, slots=True)
class JobRecords:
    """Everything that is measured of jobs and their steps."""

    tracing: Tracing
    jobs: JobMetrics
    steps: StepMetrics
    stages: StageMetrics

    @classmethod
    def of(cls, telemetry: Telemetry) -> Self:
        registry = telemetry.registry
        return cls(telemetry.tracing, JobMetrics(registry), StepMetrics(registry), StageMetrics(registry))

    def owned(self, claim: Claim, options: Options, age_s: float) -> AbstractContextManager[Span]:
        """A replica has become a job's owner; the span of its time with it, in the trace that the job came in."""
        priority = claim.request.priority
        self.jobs.claimed(priority, age_s, first=claim.epoch == 1, taken_over=claim.taken_over)
        return self.tracing.span(
            "job",
            parent=claim.traceparent,
            begins=True,
            job=claim.job_id,
            mode=options.mode,
            paths=options.paths,
            priority=priority,
            epoch=claim.epoch,
            takeovers=claim.takeovers,
        )
