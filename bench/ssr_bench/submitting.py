"""Submitting jobs with the bare stub: what became of each, and following it to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import grpc
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from ssr.core.errors import BadReply
from ssr.runtime.rpc.errors import from_rpc_error
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc
from ssr_bench.problems import sum_problem

if TYPE_CHECKING:  # it exists for type checkers alone
    Stub: TypeAlias = reasoning_pb2_grpc.ReasoningServiceAsyncStub

#: For one submission, in seconds: a burst waits behind itself.
_SUBMIT_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Submission:
    """One Submit: the job's id, or the time to come back that came with the refusal (None: it came without one).

    `sent_s` is the moment it was sent, of `time.perf_counter`; `took_s` the time to the reply.
    """

    sent_s: float
    took_s: float
    job_id: str = ""
    retry_after_s: float | None = None

    @property
    def admitted(self) -> bool:
        return bool(self.job_id)


def burst_request(
    number: int, *, paths: int, steps: int, priority: reasoning_pb2.Priority.ValueType
) -> reasoning_pb2.SolveRequest:
    """A problem of its own for every `number`."""
    options = reasoning_pb2.Options(mode=reasoning_pb2.MODE_SSR, paths=paths, seed=number)
    return reasoning_pb2.SolveRequest(problem=sum_problem(number, steps), options=options, priority=priority)


async def submit(stub: Stub, request: reasoning_pb2.SolveRequest) -> Submission:
    """Raises: whatever else than a refusal the API answers with."""
    sent = time.perf_counter()
    try:
        job = await stub.Submit(request, timeout=_SUBMIT_LIMIT_S)
    except aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise from_rpc_error(error, "the stack") from error
        return Submission(sent, time.perf_counter() - sent, retry_after_s=_retry_after_s(error))
    return Submission(sent, time.perf_counter() - sent, job.job_id)


async def started_s(stub: Stub, job_id: str) -> float:
    """The moment a watcher hears that the job starts, of `time.perf_counter`. Raises: BadReply when it never does."""
    async for event in stub.Watch(reasoning_pb2.WatchRequest(job_id=job_id)):
        if event.HasField("started"):
            return time.perf_counter()
    raise BadReply(f"job {job_id} ended without having started")


async def final_status(stub: Stub, job_id: str) -> str:
    """The status with which the job ends, such as "JOB_STATUS_ANSWERED"; waits for it."""
    async for event in stub.Watch(reasoning_pb2.WatchRequest(job_id=job_id)):
        if event.HasField("finished"):
            return reasoning_pb2.JobStatus.Name(event.finished.job.status)
    raise BadReply(f"the events of job {job_id} ended before the job did")


def _retry_after_s(error: aio.AioRpcError) -> float | None:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status is not None else ():
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
