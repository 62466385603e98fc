from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ssr.autoscaler.policy.forecast import PathWork, Workload
from ssr.core.job import Job, JobStatus, Priority
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import Path
from ssr.core.types import NO_STRATEGY, Options
from ssr.orchestrator.queue.job_queue import Backlog
from ssr.orchestrator.workload import WorkloadEstimate


@dataclass
class FakeQueue:
    batch: Backlog = Backlog(0, 0, None)  # noqa: RUF009 - frozen

    async def backlog(self) -> dict[Priority, Backlog]:
        return {Priority.INTERACTIVE: Backlog(2, 6, 1), Priority.BATCH: self.batch}


def ended(drafted_tokens: int, paths: int) -> Job:
    usage = Usage(models=(ModelUsage("m", 0, generated_tokens=1),), drafted_tokens=drafted_tokens, accepted_steps=4)
    return Job(
        "job",
        JobStatus.ANSWERED,
        "?",
        Options(),
        paths=tuple(Path(index, NO_STRATEGY) for index in range(paths)),
        usage=usage,
    )


async def look(workload: WorkloadEstimate, queue: Any = None) -> Workload:
    return await workload.look(queue or FakeQueue())  # type: ignore[arg-type]


async def test_without_jobs_the_expectation_is_the_prior() -> None:
    workload = await look(WorkloadEstimate(5.0), FakeQueue(Backlog(3, 9, 5)))
    assert workload == Workload(5, 15, 0.0, PathWork(), 0.0)


async def test_paths_are_counted_over_three_reports() -> None:
    now = 100.0
    workload = WorkloadEstimate(5.0, lambda: now)
    workload.submitted(5)
    now = 110.0
    workload.submitted(10)
    assert (await look(workload)).paths_per_s == 1.0
    now = 120.0
    assert (await look(workload)).paths_per_s == 10 / 15
    now = 200.0
    assert (await look(workload)).paths_per_s == 0.0


async def test_jobs_that_end_report_what_a_path_needs() -> None:
    workload = WorkloadEstimate(5.0, lambda: 100.0)
    for _ in range(50):
        workload.ended(ended(drafted_tokens=600, paths=2))
    reported = await look(workload)
    assert 300 < reported.work.drafted_tokens < 310
    assert 30 < reported.evidence < 50
