"""Jobs that change hands: replicas that end in order, that die, and jobs that nobody can run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Services
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from redis.asyncio import Redis
from valkey_servers import server

from ssr.core.job import Job, JobStatus, Started
from ssr.core.run import StepCommitted
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.keys import GROUP, UNFINISHED, JobKeys, stream
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.rpc.job_wire import job_from_wire, request_from_wire
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

if TYPE_CHECKING:
    Stub = reasoning_pb2_grpc.ReasoningServiceAsyncStub

QUEUE = stream("interactive")
REQUEST = pb.SolveRequest(problem="What is (12 * 7) + 19 - 3?", options=pb.Options(seed=1, paths=3))
HANG = FaultPlan(rates={FaultKind.HANG: 1.0})


@asynccontextmanager
async def replica(services: Services, name: str, **settings: object) -> AsyncIterator[Stub]:
    own = services.orchestrator.model_copy(update={"replica": name, **settings})
    async with running_orchestrator(own) as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


async def busy(services: Services, calls: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while services.draft.activity.in_flight < calls:
            await asyncio.sleep(0.005)


async def ended(stub: Stub, job_id: str) -> Job:
    async for _ in stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S):
        pass
    return job_from_wire(await stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S))


async def test_a_replica_that_ends_does_not_wait_for_ever_to_hand_its_jobs_over(services: Services) -> None:
    async with replica(services, "calm") as stub:
        whole = job_from_wire(await stub.Solve(REQUEST, timeout=LIMIT_S))
    async with AsyncExitStack() as stack:
        leaving = AsyncExitStack()
        first = await leaving.enter_async_context(replica(services, "first"))
        # The second drafts of all paths hang, so that the first replica holds a job with committed steps.
        job_id = (await first.Submit(REQUEST, timeout=LIMIT_S)).job_id
        async for event in first.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S):
            if isinstance(event_from_wire(event).happening, StepCommitted):
                services.draft.faults.set(HANG)
                break
        await busy(services, 1)
        second = await stack.enter_async_context(replica(services, "second", lease_s=60))
        services.draft.faults.set(FaultPlan())
        async with asyncio.timeout(10):  # long before the lease of a minute
            await leaving.aclose()
            job = await ended(second, job_id)
        assert (job.answer, job.votes, job.paths) == (whole.answer, whole.votes, whole.paths)
        events = [event_from_wire(e) async for e in second.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S)]
        assert [e.happening.epoch for e in events if isinstance(e.happening, Started)] == [1, 2]
        steps = [(e.happening.path, e.happening.step.index) for e in events if isinstance(e.happening, StepCommitted)]
        assert len(steps) == len(set(steps)) == sum(len(path.steps) for path in job.paths)
        async with Redis.from_url(services.redis_url) as redis:
            assert await redis.hget(JobKeys(job_id).meta, "takeovers") == b"0"


async def test_a_replica_that_ends_finishes_the_steps_in_hand_first(services: Services) -> None:
    """No call of an engine is cut off, and what was being written is committed by its writer."""
    async with AsyncExitStack() as stack:
        leaving = AsyncExitStack()
        first = await leaving.enter_async_context(replica(services, "first", grace_s=LIMIT_S))
        services.draft.faults.set(FaultPlan(slow_factor=1))
        submitted = [await first.Submit(REQUEST, timeout=LIMIT_S) for _ in range(8)]
        async for event in first.Watch(pb.WatchRequest(job_id=submitted[0].job_id), timeout=LIMIT_S):
            if isinstance(event_from_wire(event).happening, StepCommitted):
                break
        await leaving.aclose()
        assert services.draft.activity.cancelled == services.target.activity.cancelled == 0
        second = await stack.enter_async_context(replica(services, "second", lease_s=60))
        jobs = [await ended(second, job.job_id) for job in submitted]
    assert {job.status for job in jobs} == {JobStatus.ANSWERED}
    assert len({(job.answer, job.votes, job.paths) for job in jobs}) == 1


@pytest.mark.parametrize("state", ["queued", "running", "finished"])
async def test_a_delivery_too_many_changes_nothing(services: Services, state: str) -> None:
    async with Redis.from_url(services.redis_url) as redis, replica(services, "one", max_paths=16) as stub:
        calm = job_from_wire(await stub.Solve(REQUEST, timeout=LIMIT_S))
        services.draft.faults.set(HANG)
        blocking = None
        if state == "queued":
            blocking = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
            await busy(services, 1)
        elif state == "finished":
            services.draft.faults.set(FaultPlan())
        job_id = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
        if state == "running":
            await busy(services, 1)
        elif state == "finished":
            await ended(stub, job_id)
        await redis.xadd(QUEUE, {"job": job_id, "paths": 3})
        async with replica(services, "two", max_paths=16) as other:
            if state == "running":
                await settled(redis, entries=1)  # the second entry has been seen through
                await stub.Cancel(pb.CancelRequest(job_id=job_id), timeout=LIMIT_S)
            services.draft.faults.set(FaultPlan())
            if blocking:
                await stub.Cancel(pb.CancelRequest(job_id=blocking), timeout=LIMIT_S)
            job = await ended(other, job_id)
            await settled(redis, entries=0)
        events = [event_from_wire(e) async for e in stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S)]
    assert [e.happening.epoch for e in events if isinstance(e.happening, Started)] == [1]
    if state == "running":
        assert job.status is JobStatus.CANCELLED
    else:
        assert (job.answer, job.votes, job.paths) == (calm.answer, calm.votes, calm.paths)


async def settled(redis: Redis, entries: int) -> None:
    """Until the queue holds so many entries, and as many unfinished jobs."""
    async with asyncio.timeout(LIMIT_S):
        while (await redis.xlen(QUEUE), await redis.hlen(UNFINISHED)) != (entries, entries):
            await asyncio.sleep(0.005)


async def test_a_job_whose_submission_broke_off_is_queued_by_the_next_try(services: Services) -> None:
    """The orchestrator died between storing the job and queueing it."""
    keyed = pb.SolveRequest(problem=REQUEST.problem, options=REQUEST.options, idempotency_key="k")
    async with Redis.from_url(services.redis_url) as redis, replica(services, "one") as stub:
        job_id = (await stub.Submit(keyed, timeout=LIMIT_S)).job_id
        await ended(stub, job_id)
        await settled(redis, entries=0)
        meta: Any = await redis.hgetall(JobKeys(job_id).meta)
        await redis.delete(*JobKeys(job_id).both)
        store = JobStore(redis, lambda: int(meta[b"created"]), retention_s=60)
        request = request_from_wire(pb.SolveRequest.FromString(meta[b"request"]))
        await store.create(job_id, request, "default", meta[b"fingerprint"].decode(), int(meta[b"created"]))
        assert 0 < await redis.ttl(JobKeys(job_id).meta) <= 600, "it is forgotten when nobody tries again"
        assert (await stub.Submit(keyed, timeout=LIMIT_S)).job_id == job_id
        assert (await ended(stub, job_id)).status is JobStatus.ANSWERED


async def test_a_job_of_a_silent_replica_is_taken_over(services: Services) -> None:
    """The entry is pending with a consumer that does not exist any more, as after SIGKILL."""
    async with Redis.from_url(services.redis_url) as redis:
        async with replica(services, "idle", max_unfinished=1) as stub:
            services.draft.faults.set(HANG)
            job_id = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
            await busy(services, 1)
            (pending,) = await redis.xpending_range(QUEUE, GROUP, "-", "+", 10)
            await redis.xclaim(QUEUE, GROUP, "dead", 0, [pending["message_id"]], idle=60_000)
            await redis.hincrby(JobKeys(job_id).meta, "epoch", 1)  # somebody else owned it last
        services.draft.faults.set(FaultPlan())
        async with replica(services, "heir", lease_s=1) as stub:
            job = await ended(stub, job_id)
        assert job.status is JobStatus.ANSWERED
        assert await redis.hget(JobKeys(job_id).meta, "takeovers") == b"1"


async def test_a_job_that_keeps_losing_its_owners_is_parked(services: Services) -> None:
    async with Redis.from_url(services.redis_url) as redis, replica(services, "busy", max_paths=16) as stub:
        services.draft.faults.set(HANG)
        first = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
        await busy(services, 1)
        poison = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
        await redis.hset(JobKeys(poison).meta, mapping={"status": "running", "takeovers": 4})
        await stub.Cancel(pb.CancelRequest(job_id=first), timeout=LIMIT_S)
        job = await ended(stub, poison)
    assert job.status is JobStatus.PARKED
    assert job.error == "parked: 5 replicas died or hung while they ran it"


async def test_too_many_unfinished_jobs_are_refused_with_a_time_to_come_back(services: Services) -> None:
    services.draft.faults.set(HANG)
    async with replica(services, "small", max_unfinished=2) as stub:
        keyed = pb.SolveRequest(problem=REQUEST.problem, options=REQUEST.options, idempotency_key="k")
        known = await stub.Submit(keyed, timeout=LIMIT_S)
        await stub.Submit(REQUEST, timeout=LIMIT_S)
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.Submit(REQUEST, timeout=LIMIT_S)
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert "google.rpc.retryinfo" in str(caught.value.trailing_metadata()).lower()
        assert (await stub.Submit(keyed, timeout=LIMIT_S)).job_id == known.job_id, "a retry is no new job"


async def test_who_lost_a_job_leaves_its_queue_entry_alone(services: Services) -> None:
    """A replica that was asleep finds that the job has a newer owner: the entry is not its to acknowledge."""
    services.draft.faults.set(HANG)
    async with Redis.from_url(services.redis_url) as redis, replica(services, "zombie", lease_s=0.5) as stub:
        job_id = (await stub.Submit(REQUEST, timeout=LIMIT_S)).job_id
        await busy(services, 1)
        await redis.hincrby(JobKeys(job_id).meta, "epoch", 1)  # somebody else claimed it, and died at once
        await stub.Cancel(pb.CancelRequest(job_id=job_id), timeout=LIMIT_S)
        job = await ended(stub, job_id)  # by whoever takes the entry over
        assert job.status is JobStatus.CANCELLED
        assert await redis.hget(JobKeys(job_id).meta, "takeovers") == b"1"
        async with asyncio.timeout(LIMIT_S):
            while await redis.hlen(UNFINISHED):
                await asyncio.sleep(0.005)


async def test_a_redis_that_lost_its_data_is_used_again(services: Services) -> None:
    async with Redis.from_url(services.redis_url) as redis, replica(services, "one") as stub:
        assert (await stub.Solve(REQUEST, timeout=LIMIT_S)).answer
        await redis.flushall()
        assert (await stub.Solve(REQUEST, timeout=LIMIT_S)).answer


async def test_a_replica_leaves_though_redis_is_gone(services: Services, tmp_path: Path) -> None:
    """Its jobs wait for Redis, and it does not wait for them."""
    with server(tmp_path) as redis:
        settings = {"redis_url": f"redis://{redis.address}/0", "grace_s": 0.2}
        async with asyncio.timeout(LIMIT_S), replica(services, "one", **settings) as stub:
            services.draft.faults.set(HANG)
            await stub.Submit(REQUEST, timeout=LIMIT_S)
            await busy(services, 1)
            redis.kill()
