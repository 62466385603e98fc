"""What a display shows of a job: the fold of its events so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ssr.core.job import Event, Finished, Job, JobStatus, Queued, Started
from ssr.core.ledger import Usage
from ssr.core.run import PathEnded, Run, Selected, StepCommitted
from ssr.core.types import Options


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a viewer knows it.

    `options` are None until they are known; `job` is the finished job (its steps are in `run`); `elapsed_s` is the
    viewer's time since it began to watch. `began` and `ended` are the times of the job's first and last event.
    """

    problem: str
    options: Options | None = None
    job_id: str = ""
    status: JobStatus = JobStatus.QUEUED
    run: Run = Run()  # noqa: RUF009 - frozen
    job: Job | None = None
    elapsed_s: float = 0.0
    began: datetime | None = None
    ended: datetime | None = None

    def after(self, event: Event) -> JobView:
        """The view after one more event.

        Raises: ValueError when the event does not follow from this state.
        """
        match event.happening:
            case Queued():
                return replace(self, job_id=event.job_id, began=event.time)
            case Started():
                return replace(self, job_id=event.job_id, status=JobStatus.RUNNING)
            case Finished(job):
                return replace(self, status=job.status, job=job, options=job.options, ended=event.time)
            case Selected() | StepCommitted() | PathEnded() as decision:
                return replace(self, run=self.run.apply(decision))

    @property
    def usage(self) -> Usage:
        """What the job cost so far, or in the end."""
        return self.job.usage if self.job is not None else self.run.ledger.usage()

    @property
    def duration_s(self) -> float:
        """How long the job took, or has taken so far."""
        if self.began is not None and self.ended is not None:
            return (self.ended - self.began).total_seconds()
        return self.elapsed_s
