"""Jobs: taken in, at work, ended; and what goes wrong with replicas and with Redis while they are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from ssr.core.job import JobStatus, Priority
from ssr.core.types import Mode
from ssr.runtime.telemetry.reasons import REASONS, reason_of

#: Of a job, in seconds.
_JOB_SECONDS = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
#: Until a caller who watches sees something, in seconds.
_FIRST_STEP_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 300)
#: Until a job has its first answer, in seconds: the chart's objective is one of these.
FIRST_ANSWER_SECONDS = (1, 2.5, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200)
#: In the queue, in seconds: an interactive job should not notice it, a batch job may be there for an hour.
_WAIT_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class JobMetrics:
    """What becomes of jobs on one orchestrator."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._submitted = Counter("ssr_jobs_submitted", "New jobs.", ("priority",), registry=registry)
        self._refused = Counter("ssr_jobs_refused", "Submissions that were refused.", ("reason",), registry=registry)
        self._ended = Counter("ssr_jobs_ended", "Jobs that ended here.", ("status", "mode"), registry=registry)
        self._seconds = Histogram(
            "ssr_job_duration_seconds",
            "From submission to end, the queue included.",
            ("mode",),
            buckets=_JOB_SECONDS,
            registry=registry,
        )
        self._first_step = Histogram(
            "ssr_job_first_step_seconds",
            "From submission to the first committed step.",
            ("mode",),
            buckets=_FIRST_STEP_SECONDS,
            registry=registry,
        )
        self._first_answer = Histogram(
            "ssr_job_first_answer_seconds",
            "From submission to the first answer of a path.",
            ("priority",),
            buckets=FIRST_ANSWER_SECONDS,
            registry=registry,
        )
        self._wait = Histogram(
            "ssr_queue_wait_seconds",
            "From submission to the first claim.",
            ("priority",),
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._takeovers = Counter(
            "ssr_job_takeovers", "Jobs claimed from a replica that had not handed them back.", registry=registry
        )
        self._handed_back = Counter("ssr_jobs_handed_back", "Jobs handed back unfinished.", registry=registry)
        self._moved = Counter("ssr_jobs_moved", "Jobs that a newer owner took from this replica.", registry=registry)
        self._lost = Counter("ssr_jobs_lost", "Jobs in hand that Redis no longer had.", registry=registry)
        self._gaps = Counter("ssr_journal_gaps", "Runs that Redis had lost decisions of.", registry=registry)
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A counter that is born with its first event has not increased: all begin at 0, so that the first is seen."""
        for priority in Priority:
            for of_priority in (self._submitted, self._wait, self._first_answer):
                of_priority.labels(priority)
        for reason in REASONS:
            self._refused.labels(reason)
        for mode in Mode:
            self._seconds.labels(mode)
            self._first_step.labels(mode)
            for status in JobStatus:
                if status.final:
                    self._ended.labels(status, mode)

    def submitted(self, priority: Priority) -> None:
        self._submitted.labels(priority).inc()

    def refused(self, error: Exception) -> None:
        self._refused.labels(reason_of(error)).inc()

    def claimed(self, priority: Priority, waited_s: float, *, first: bool, taken_over: bool) -> None:
        """A replica has become the job's owner; the `first`, or one that has it from a silent one (`taken_over`)."""
        if first:
            self._wait.labels(priority).observe(waited_s)
        if taken_over:
            self._takeovers.inc()

    def first_step(self, mode: Mode, seconds: float) -> None:
        self._first_step.labels(mode).observe(seconds)

    def first_answer(self, priority: Priority, seconds: float) -> None:
        self._first_answer.labels(priority).observe(seconds)

    def ended(self, status: JobStatus, mode: Mode, seconds: float) -> None:
        self._ended.labels(status, mode).inc()
        self._seconds.labels(mode).observe(seconds)

    def handed_back(self) -> None:
        self._handed_back.inc()

    def moved(self) -> None:
        self._moved.inc()

    def lost(self) -> None:
        self._lost.inc()

    def lost_ground(self) -> None:
        self._gaps.inc()
