"""More jobs at once than there is room for: who is admitted, who is refused and how, and who has to wait."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssr.cli.stack import Stack
from ssr.core.errors import InvalidRequest, Unavailable
from ssr.core.limits import check_within
from ssr.v1 import reasoning_pb2
from ssr_bench.simulated_stack import reasoning_stub, simulated_stack
from ssr_bench.statistics import Summary
from ssr_bench.submitting import Submission, burst_request, final_status, started_s, submit

if TYPE_CHECKING:
    from ssr_bench.submitting import Stub

_BATCH, _INTERACTIVE = reasoning_pb2.PRIORITY_BATCH, reasoning_pb2.PRIORITY_INTERACTIVE
#: Submissions under way, and jobs watched, at a time.
_SUBMITTING, _WATCHING = 256, 64
#: How long the admitted jobs may take to end, in seconds.
_SETTLE_LIMIT_S = 300.0
#: What an admitted job is counted as that did not.
NOT_ENDED = "NOT_ENDED"
_MAX_JOBS = 100_000


@dataclass(frozen=True, slots=True)
class BurstPlan:
    """`batch_jobs` batch jobs and one interactive job behind them; then `jobs` interactive jobs within `within_s`.

    The server admits `capacity` unfinished jobs. Every job has `paths` paths of about `steps` steps.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    jobs: int = 2000
    within_s: float = 1.0
    batch_jobs: int = 1000
    capacity: int = 1500
    paths: int = 1
    steps: int = 3

    def __post_init__(self) -> None:
        for field in ("jobs", "batch_jobs", "capacity"):
            check_within(field, getattr(self, field), 1, _MAX_JOBS)
        if self.capacity <= self.batch_jobs:
            raise InvalidRequest("capacity", f"must be over batch_jobs={self.batch_jobs}, or they are not all admitted")
        check_within("within_s", self.within_s, 0, 60)


@dataclass(frozen=True, slots=True)
class BurstReport:
    """What came of it.

    `interactive_start_s`: from the interactive job's submission to its Started event at a watcher, with
    `batch_unfinished` batch jobs before it. `sent_within_s`: between the first and the last submission of the burst.
    `refused_without_delay` counts refusals that do not say when to come back; `submit_s` is the time to a reply.
    `outcomes` counts the final statuses of all admitted jobs, the batch jobs included. `died` names the parts that
    ended or were started again.
    """

    plan: BurstPlan
    interactive_start_s: float
    batch_unfinished: int
    sent_within_s: float
    admitted: int
    refused: int
    refused_without_delay: int
    retry_after_s: Summary
    submit_s: Summary
    settled_s: float
    outcomes: Mapping[str, int]
    died: tuple[str, ...]

    @property
    def borne(self) -> bool:
        """Nothing died, all admitted jobs ended well, and every refusal said when to come back."""
        bad = {"JOB_STATUS_FAILED", "JOB_STATUS_PARKED", "JOB_STATUS_CANCELLED", NOT_ENDED}
        return not (self.died or self.refused_without_delay or bad & self.outcomes.keys())


async def measure_burst(plan: BurstPlan, log: Callable[[str], None] = lambda _: None) -> BurstReport:
    """Bring up the stack and let the jobs come.

    Raises: what the stack's start raises; Unavailable when there is no room for the interactive job.
    """
    log("bringing up the simulated stack")
    settings = {"SSR_ORCHESTRATOR_MAX_UNFINISHED": str(plan.capacity)}
    async with simulated_stack(settings, on_event=log) as stack, reasoning_stub(stack.address) as stub:
        pids = _pids(stack)
        log(f"{plan.batch_jobs} batch jobs, and an interactive one behind them")
        batch = await _submit_all(stub, plan, 0, plan.batch_jobs, _BATCH)
        start_s, unfinished = await _interactive_behind(stub, plan)
        before = await _settled(stub, [one.job_id for one in batch if one.admitted])
        log(f"{plan.jobs} jobs in {plan.within_s:g} s")
        began = time.perf_counter()
        burst = await _submit_all(stub, plan, plan.batch_jobs + 1, plan.jobs, _INTERACTIVE, plan.within_s)
        log("waiting for the admitted ones to end")
        outcomes = await _settled(stub, [one.job_id for one in burst if one.admitted])
        died = tuple(name for name, pid in _pids(stack).items() if pids[name] != pid)
        return _report(
            plan, start_s, unfinished, burst, time.perf_counter() - began, Counter(before) + Counter(outcomes), died
        )


async def _interactive_behind(stub: Stub, plan: BurstPlan) -> tuple[float, int]:
    """Seconds until an interactive job starts, and the jobs that were unfinished when it was submitted."""
    unfinished = await _unfinished(stub)
    request = burst_request(plan.batch_jobs, paths=plan.paths, steps=plan.steps, priority=_INTERACTIVE)
    submission = await submit(stub, request)
    if not submission.admitted:
        raise Unavailable("the interactive job was refused; give more capacity")
    start_s = await started_s(stub, submission.job_id) - submission.sent_s
    await final_status(stub, submission.job_id)
    return start_s, unfinished


async def _unfinished(stub: Stub) -> int:
    """Jobs that are queued or run now."""
    unfinished, token = 0, ""
    while True:
        page = await stub.List(reasoning_pb2.ListRequest(limit=500, page_token=token))
        waiting = (reasoning_pb2.JOB_STATUS_QUEUED, reasoning_pb2.JOB_STATUS_RUNNING)
        unfinished += sum(job.status in waiting for job in page.jobs)
        if not (token := page.next_page_token):
            return unfinished


async def _submit_all(
    stub: Stub,
    plan: BurstPlan,
    first: int,
    count: int,
    priority: reasoning_pb2.Priority.ValueType,
    within_s: float | None = None,
) -> list[Submission]:
    """`count` submissions: each at its time within `within_s`, whatever became of those before; None: as fast as
    replies come, so many at a time."""
    began = time.perf_counter()
    permits = asyncio.Semaphore(_SUBMITTING if within_s is None else count)

    async def one(index: int) -> Submission:
        if within_s is not None:
            await asyncio.sleep(began + index / count * within_s - time.perf_counter())
        async with permits:
            request = burst_request(first + index, paths=plan.paths, steps=plan.steps, priority=priority)
            return await submit(stub, request)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(index)) for index in range(count)]
    return [task.result() for task in tasks]


async def _settled(stub: Stub, job_ids: Sequence[str]) -> Mapping[str, int]:
    """The final statuses of the jobs, once all have one; those that take too long are NOT_ENDED."""
    permits = asyncio.Semaphore(_WATCHING)

    async def one(job_id: str) -> str:
        async with permits:
            return await final_status(stub, job_id)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job_id)) for job_id in job_ids]
        ended, stuck = await asyncio.wait(tasks, timeout=_SETTLE_LIMIT_S) if tasks else (set(), set())
        for task in stuck:
            task.cancel()
    return Counter([task.result() for task in ended] + [NOT_ENDED] * len(stuck))


def _pids(stack: Stack) -> dict[str, int]:
    return {part.name: part.pid for part in stack.parts}


def _report(
    plan: BurstPlan,
    start_s: float,
    unfinished: int,
    burst: Sequence[Submission],
    settled_s: float,
    outcomes: Mapping[str, int],
    died: tuple[str, ...],
) -> BurstReport:
    refused = [one for one in burst if not one.admitted]
    return BurstReport(
        plan=plan,
        interactive_start_s=start_s,
        batch_unfinished=unfinished,
        sent_within_s=max(one.sent_s for one in burst) - min(one.sent_s for one in burst),
        admitted=len(burst) - len(refused),
        refused=len(refused),
        refused_without_delay=sum(one.retry_after_s is None for one in refused),
        retry_after_s=Summary.of([one.retry_after_s for one in refused if one.retry_after_s is not None]),
        submit_s=Summary.of([one.took_s for one in burst]),
        settled_s=settled_s,
        outcomes=outcomes,
        died=died,
    )
