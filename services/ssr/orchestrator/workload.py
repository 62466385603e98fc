"""What this orchestrator knows of the work to come, for scaling."""

from __future__ import annotations

import time
from collections.abc import Callable

from ssr.autoscaler.policy.average import Arrivals
from ssr.autoscaler.policy.forecast import PathAverages, Workload
from ssr.core.job import Job
from ssr.orchestrator.queue.job_queue import JobQueue

#: Submissions are counted over so many reports.
_REPORTS = 3


class WorkloadEstimate:
    """Is informed of jobs as they come and end; `now` is in seconds, of any clock."""

    def __init__(self, report_s: float, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._arrivals = Arrivals(_REPORTS * report_s)
        self._averages = PathAverages()

    def submitted(self, paths: int) -> None:
        """A new job has come."""
        self._arrivals.add(paths, self._now())

    def ended(self, job: Job) -> None:
        """This replica has ended a job."""
        self._averages = self._averages.add(job.usage, len(job.paths))

    async def look(self, queue: JobQueue) -> Workload:
        """The workload of now. Raises: Unavailable."""
        backlogs = (await queue.backlog()).values()
        return self.with_queue(sum(backlog.jobs for backlog in backlogs), sum(backlog.paths for backlog in backlogs))

    def with_queue(self, jobs: int, paths: int) -> Workload:
        """The workload of now, with so many jobs in the queue, that have so many paths."""
        return Workload(
            queued_jobs=jobs,
            queued_paths=paths,
            paths_per_s=self._arrivals.per_s(self._now()),
            work=self._averages.work(),
            evidence=self._averages.evidence,
        )
