"""Calls that share a job by its idempotency key: who ends it, and who does not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from conftest import System
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from redis.asyncio import Redis

from ssr.core.job import Job, JobStatus
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.queue.keys import UNFINISHED, JobKeys
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.runtime.rpc.tenant import WAITER_KEY
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

if TYPE_CHECKING:
    Stub = reasoning_pb2_grpc.ReasoningServiceAsyncStub

PROBLEM = "What is (12 * 7) + 19 - 3?"
HANG = FaultPlan(rates={FaultKind.HANG: 1.0})


@pytest.fixture
async def stub(system: System) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(system.address) as channel:
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


def request(key: str = "key", **options: Any) -> pb.SolveRequest:
    return pb.SolveRequest(problem=PROBLEM, options=pb.Options(paths=2, **options), idempotency_key=key)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def get(stub: Stub, job_id: str) -> Job:
    return job_from_wire(await stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S))


async def jobs(stub: Stub) -> list[str]:
    return [job.job_id for job in (await stub.List(pb.ListRequest(), timeout=LIMIT_S)).jobs]


async def ended(stub: Stub, job_id: str) -> Job:
    async for _ in stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S):
        pass
    return await get(stub, job_id)


async def running(system: System, calls: int = 1) -> None:
    """Wait until the engines are asked, and hang."""
    await until(lambda: system.draft.activity.in_flight >= calls)


async def left(call: Any) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_retry_of_a_call_that_was_lost_is_answered(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    lost = stub.Solve(request(), timeout=LIMIT_S)
    await running(system)
    await left(lost)
    (first,) = await jobs(stub)
    assert (await ended(stub, first)).status is JobStatus.CANCELLED
    system.draft.faults.set(FaultPlan())
    again = job_from_wire(await stub.Solve(request(), timeout=LIMIT_S))
    assert again.status is JobStatus.ANSWERED
    assert again.job_id != first
    assert job_from_wire(await stub.Solve(request(), timeout=LIMIT_S)).job_id == again.job_id
    submitted = await stub.Submit(request(), timeout=LIMIT_S)
    assert submitted.job_id == again.job_id


async def test_many_lost_calls_of_one_key_are_all_different_jobs(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    for lost_before in range(4):
        lost = stub.Solve(request(), timeout=LIMIT_S)
        await until(lambda: system.draft.activity.in_flight > 0)
        assert len(await jobs(stub)) == lost_before + 1
        await left(lost)
        await until(lambda: system.draft.activity.in_flight == 0)
    system.draft.faults.set(FaultPlan())
    assert (await stub.Solve(request(), timeout=LIMIT_S)).status == pb.JOB_STATUS_ANSWERED


@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
async def test_a_caller_that_leaves_ends_nobody_elses_job(stub: Stub, system: System, method: str) -> None:
    system.draft.faults.set(HANG)
    if method == "Solve":
        first: Any = stub.Solve(request(), timeout=LIMIT_S)
    else:
        first = stub.SolveStream(request(), timeout=LIMIT_S)
        await first.read()
    await running(system)
    second = stub.Solve(request(), timeout=LIMIT_S)
    (job_id,) = await jobs(stub)
    async with Redis.from_url(system.redis_url) as redis:
        async with asyncio.timeout(LIMIT_S):
            while await redis.hlen(JobKeys(job_id).waiters) < 2:
                await asyncio.sleep(0.005)
        first.cancel()
        async with asyncio.timeout(LIMIT_S):
            while await redis.hlen(JobKeys(job_id).waiters) > 1:
                await asyncio.sleep(0.005)
        assert (await get(stub, job_id)).status is JobStatus.RUNNING
        await left(second)
        assert (await ended(stub, job_id)).status is JobStatus.CANCELLED
        assert await redis.exists(JobKeys(job_id).waiters) == 0


@pytest.mark.parametrize("first", ["Submit", "Solve"])
async def test_a_submitted_job_outlives_callers_that_leave_or_are_late(stub: Stub, system: System, first: str) -> None:
    system.draft.faults.set(HANG)
    if first == "Submit":
        job_id = (await stub.Submit(request(), timeout=LIMIT_S)).job_id
        waiting = stub.Solve(request(), timeout=LIMIT_S)
    else:
        waiting = stub.Solve(request(), timeout=LIMIT_S)
        await running(system)
        job_id = (await stub.Submit(request(), timeout=LIMIT_S)).job_id
    await running(system)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Solve(request(), timeout=0.3)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    await left(waiting)
    assert (await get(stub, job_id)).status is JobStatus.RUNNING
    await stub.Cancel(pb.CancelRequest(job_id=job_id), timeout=LIMIT_S)
    assert (await ended(stub, job_id)).status is JobStatus.CANCELLED


async def test_a_late_caller_ends_nobody_elses_job(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    patient = stub.Solve(request(), timeout=LIMIT_S)
    await running(system)
    with pytest.raises(aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await stub.Solve(request(), timeout=0.3)
    (job_id,) = await jobs(stub)
    assert (await get(stub, job_id)).status is JobStatus.RUNNING
    await left(patient)


async def test_the_last_caller_that_is_late_gets_what_there_is(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    job = job_from_wire(await stub.Solve(request(), timeout=5))
    assert job.status is JobStatus.PARTIAL
    assert re.fullmatch(r"the deadline of [34]\.\d+ s has passed", job.reason)
    assert job.options.deadline_s is None, "it was the caller's, not the request's"


async def test_a_caller_that_goes_while_it_submits_leaves_nothing(
    stub: Stub, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is cut off: before the job, between the job and its queueing, behind it."""
    system.draft.faults.set(HANG)
    async with Redis.from_url(system.redis_url) as redis:
        for wait_s in (0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01):
            for method in (stub.Solve, stub.Submit):
                call = method(request(key=""), timeout=LIMIT_S)
                await asyncio.sleep(wait_s)
                if not call.done():
                    call.cancel()
                else:
                    await stub.Cancel(pb.CancelRequest(job_id=(await call).job_id), timeout=LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            while await redis.hlen(UNFINISHED):
                await asyncio.sleep(0.01)


async def test_defaults_written_out_are_the_same_request(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    plain = await stub.Submit(pb.SolveRequest(problem=PROBLEM, idempotency_key="k"), timeout=LIMIT_S)
    options = pb.Options(mode=pb.MODE_SSR, paths=5, temperature=0.6, early_stop=True, strategy_set="competition")
    written = pb.SolveRequest(problem=PROBLEM, options=options, idempotency_key="k", priority=pb.PRIORITY_INTERACTIVE)
    assert (await stub.Submit(written, timeout=LIMIT_S)).job_id == plain.job_id
    for other in (pb.Options(paths=4), pb.Options(seed=1), pb.Options(max_tokens=10)):
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.Submit(pb.SolveRequest(problem=PROBLEM, idempotency_key="k", options=other), timeout=LIMIT_S)
        assert caught.value.code() is StatusCode.ALREADY_EXISTS
    await stub.Cancel(pb.CancelRequest(job_id=plain.job_id), timeout=LIMIT_S)


async def test_submitting_as_one_who_waits(stub: Stub, system: System) -> None:
    """What clients do that watch a job they own: leaving it ends it only if it is nobody else's."""
    system.draft.faults.set(HANG)

    async def submit(waiter: str) -> str:
        return (await stub.Submit(request(), metadata=((WAITER_KEY, waiter),), timeout=LIMIT_S)).job_id

    async def leave(waiter: str) -> None:
        await stub.Cancel(pb.CancelRequest(job_id=job_id), metadata=((WAITER_KEY, waiter),), timeout=LIMIT_S)

    job_id = await submit("one")
    assert await submit("two") == await submit("one") == job_id
    await leave("one")
    await running(system)
    assert (await get(stub, job_id)).status is JobStatus.RUNNING
    await leave("two")
    assert (await ended(stub, job_id)).status is JobStatus.CANCELLED
    with pytest.raises(aio.AioRpcError) as caught:
        await submit("a waiter")
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
