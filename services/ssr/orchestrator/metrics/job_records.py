"""What is measured of jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from ssr.core.job import Priority
from ssr.core.journal import Journal
from ssr.core.run import Decision, PathEnded, Run, Selected, StepCommitted
from ssr.core.types import Options, PathStatus
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


class RecordedJournal:
    """Implements `core.journal.Journal`: counts what has become durable in `journal`.

    `age_s` gives the job's age, since it was submitted.
    """

    def __init__(
        self, journal: Journal, watch: JobRecords, options: Options, priority: Priority, age_s: Callable[[], float]
    ) -> None:
        self._journal, self._watch, self._options, self._age_s = journal, watch, options, age_s
        self._priority = priority
        self._none_yet = self._unanswered = False
        self._began = self._wave_began = time.perf_counter()
        self._last: dict[int, float] = {}

    async def load(self) -> Run:
        run = await self._journal.load()
        self._none_yet = not run.committed_steps
        self._unanswered = not any(path.status is PathStatus.ANSWERED for path in run.paths)
        self._began = self._wave_began = time.perf_counter()
        return run

    async def append(self, decision: Decision) -> None:
        await self._journal.append(decision)
        if isinstance(decision, StepCommitted):
            now = time.perf_counter()
            began = self._began if decision.path < self._options.waves[0] else self._wave_began
            self._watch.steps.committed(self._options.mode, decision, now - self._last.get(decision.path, began))
            self._last[decision.path] = now
            if self._none_yet:
                self._none_yet = False
                self._watch.jobs.first_step(self._options.mode, self._age_s())
        elif isinstance(decision, Selected):
            self._watch.steps.selected(decision)
            self._began = self._wave_began = time.perf_counter()
        elif isinstance(decision, PathEnded):
            self._ended(decision)

    def _ended(self, path: PathEnded) -> None:
        if self._unanswered and path.status is PathStatus.ANSWERED:
            self._unanswered = False
            self._watch.jobs.first_answer(self._priority, self._age_s())
        self._watch.steps.ended(path)
        self._wave_began = time.perf_counter()  # of the next wave, if this was the last of this one
