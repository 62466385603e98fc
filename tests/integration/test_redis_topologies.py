"""The whole system on Redis in every shape it is run in, and what becomes of jobs when that Redis is away."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import Services
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from valkey_servers import Server, cluster, server, until, watched

from ssr.cli.stack.ports import free_port
from ssr.cli.stack.probes import redis_answers
from ssr.core.errors import InvalidRequest, Unavailable
from ssr.core.job import Event, Finished, Job, JobStatus
from ssr.core.retry import Backoff
from ssr.core.run import StepCommitted
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.script import truth
from ssr.orchestrator.queue.keys import WAKEUPS
from ssr.orchestrator.queue.wakeups import EVENT, running_wakeups
from ssr.orchestrator.readiness import check_access
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import Script, open_redis, pipelined
from ssr.runtime.redis.failures import RedisRefused, redis_errors
from ssr.runtime.redis.patience import patiently
from ssr.runtime.redis.subscription import subscribed
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

if TYPE_CHECKING:
    Stub = reasoning_pb2_grpc.ReasoningServiceAsyncStub

PROBLEM = "What is (12 * 7) + 19 - 3?"
#: Drafts wait, and are tried again until the plan changes.
HELD = FaultPlan(rates={FaultKind.OVERLOADED: 1.0})


@asynccontextmanager
async def system(services: Services, url: str) -> AsyncIterator[Stub]:
    own = services.orchestrator.model_copy(update={"redis_url": url, "step_timeout_s": LIMIT_S})
    async with running_orchestrator(own) as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


def request(seed: int = 1) -> pb.SolveRequest:
    return pb.SolveRequest(problem=PROBLEM, options=pb.Options(seed=seed, paths=3))


async def watched_events(stub: Stub, job_id: str) -> list[Event]:
    """The job's events to its last, though Redis may be away for a while."""
    events: list[Event] = []
    async with asyncio.timeout(LIMIT_S):
        while not events or not isinstance(events[-1].happening, Finished):
            cursor = events[-1].cursor if events else ""
            try:
                async for event in stub.Watch(pb.WatchRequest(job_id=job_id, cursor=cursor)):
                    events.append(event_from_wire(event))
            except aio.AioRpcError as error:
                if error.code() is not StatusCode.UNAVAILABLE:
                    raise
    return events


async def held_midway(stub: Stub, services: Services) -> str:
    """A job with committed steps whose next drafts wait."""
    job_id = (await stub.Submit(request(), timeout=LIMIT_S)).job_id
    async for event in stub.Watch(pb.WatchRequest(job_id=job_id), timeout=LIMIT_S):
        if isinstance(event_from_wire(event).happening, StepCommitted):
            services.draft.faults.set(HELD)
            break
    return job_id


def assert_whole(events: list[Event]) -> None:
    job = finished(events)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, truth(PROBLEM))
    steps = [(e.happening.path, e.happening.step.index) for e in events if isinstance(e.happening, StepCommitted)]
    assert steps
    assert len(steps) == len(set(steps)), "each step is committed once"


def finished(events: list[Event]) -> Job:
    assert isinstance(events[-1].happening, Finished)
    return events[-1].happening.job


async def refused(stub: Stub) -> float:
    """Submit is answered UNAVAILABLE with a time to come back; the seconds it took."""
    began = time.monotonic()
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Submit(request(), timeout=LIMIT_S)
    assert caught.value.code() is StatusCode.UNAVAILABLE
    assert "google.rpc.retryinfo" in str(caught.value.trailing_metadata()).lower()
    return time.monotonic() - began


async def test_a_cluster_solves_jobs_and_goes_on_when_a_node_fails_over(services: Services, tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        async with system(services, nodes.url) as stub:
            jobs = [job_from_wire(await stub.Solve(request(seed), timeout=LIMIT_S)) for seed in range(4)]
            assert {job.answer for job in jobs} == {truth(PROBLEM)}
            assert_whole(await watched_events(stub, jobs[0].job_id))
            services.draft.faults.set(HELD)
            held = [(await stub.Submit(request(seed), timeout=LIMIT_S)).job_id for seed in range(4)]
            await asyncio.to_thread(until, nodes.in_step, "replication")
            nodes.masters[0].kill()
            services.draft.faults.set(FaultPlan())
            for job_id in held:
                assert_whole(await watched_events(stub, job_id))


async def test_a_job_ends_on_the_new_master_when_the_old_one_is_killed(services: Services, tmp_path: Path) -> None:
    with watched(tmp_path) as servers:
        async with system(services, servers.url) as stub:
            job_id = await held_midway(stub, services)
            await asyncio.to_thread(until, servers.in_step, "replication")
            servers.master.kill()
            assert await refused(stub) < 3.5
            services.draft.faults.set(FaultPlan())
            assert_whole(await watched_events(stub, job_id))
            assert servers.failed_over()


async def test_a_master_that_slept_through_its_failover_is_written_to_no_more(tmp_path: Path) -> None:
    with watched(tmp_path) as servers:
        async with open_redis(servers.url) as redis:
            await redis.set("key", "before")
            await asyncio.to_thread(until, servers.in_step, "replication")
            servers.master.stop()
            async with asyncio.timeout(LIMIT_S):
                while not await written(redis, "after"):
                    pass
            assert servers.failed_over()
            servers.master.go_on()
            assert await written(redis, "awake")
            assert servers.replica.ask("GET", "key") == b"awake"
            assert servers.master.ask("GET", "key") != b"awake"


async def written(redis: object, value: str) -> bool:
    try:
        with redis_errors():
            await redis.set("key", value)  # type: ignore[attr-defined]
    except Unavailable:
        return False
    return True


async def test_a_redis_that_hangs_is_unavailable_soon_and_jobs_go_on_when_it_is_back(
    services: Services, tmp_path: Path
) -> None:
    with server(tmp_path) as redis:
        async with system(services, f"redis://{redis.address}/0") as stub:
            job_id = await held_midway(stub, services)
            redis.stop()
            services.draft.faults.set(FaultPlan())
            assert await refused(stub) < 3.5
            assert await refused(stub) < 3.5
            redis.go_on()
            assert_whole(await watched_events(stub, job_id))


async def test_a_restart_with_an_append_only_file_loses_nothing(services: Services, tmp_path: Path) -> None:
    port, keeping = free_port(), ("--appendonly", "yes", "--appendfsync", "always")
    async with AsyncExitStack() as stack:
        with server(tmp_path, *keeping, port=port) as redis:
            stub = await stack.enter_async_context(system(services, f"redis://{redis.address}/0"))
            job_id = await held_midway(stub, services)
        assert await refused(stub) < 3.5
        services.draft.faults.set(FaultPlan())
        with server(tmp_path, *keeping, port=port):
            assert_whole(await watched_events(stub, job_id))
            await stack.aclose()


async def test_wakeups_are_heard_again_after_the_connection_was_lost(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        async with open_redis(f"redis://{redis.address}") as client, running_wakeups(client) as wakeups:
            with wakeups.of(EVENT, "job") as event:
                await heard(redis, event)
                event.clear()
                redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
                async with asyncio.timeout(LIMIT_S):
                    await event.wait()  # everybody looks
                event.clear()
                await heard(redis, event)


async def heard(redis: Server, event: asyncio.Event) -> None:
    """A wake-up comes through, once somebody listens."""
    async with asyncio.timeout(LIMIT_S):
        while redis.ask("PUBSUB", "NUMSUB", WAKEUPS) != [WAKEUPS.encode(), 1]:
            await asyncio.sleep(0.01)
        event.clear()
        redis.ask("PUBLISH", WAKEUPS, "cancel job")
        redis.ask("PUBLISH", WAKEUPS, "event other")
        assert not event.is_set()
        redis.ask("PUBLISH", WAKEUPS, "event job")
        await event.wait()


async def test_a_script_runs_on_a_server_that_never_saw_it(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        async with open_redis(f"redis://{redis.address}") as client:
            script = Script(client, "orchestrator/queue/scripts/job/cancel")
            assert await script(["ssr:{none}:meta"], [WAKEUPS, "none"]) is None
            redis.ask("SCRIPT", "FLUSH")
            assert await script(["ssr:{none}:meta"], [WAKEUPS, "none"]) is None


async def test_a_wrong_password_is_reported_without_it_and_so_is_a_redis_that_is_no_cluster(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        assert await redis_answers(f"redis://{redis.address}/1")
        with pytest.raises(RedisRefused, match="redis_url") as caught:
            await redis_answers(f"redis://user:secret@{redis.address}")
        assert "secret" not in str(caught.value)
        with pytest.raises(RedisRefused, match="no cluster; use redis://"):
            await redis_answers(f"redis+cluster://{redis.address}")
        assert not await redis_answers(f"redis+sentinel://127.0.0.1:{free_port()}/first")
        assert not await redis_answers(f"redis+cluster://127.0.0.1:{free_port()}")
        with pytest.raises(InvalidRequest, match="redis_url"):
            await redis_answers("nonsense")


async def test_a_right_that_is_gone_for_a_moment_ends_no_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quick = Backoff(first_s=0.01, max_s=2.0, patience_s=math.inf)
    monkeypatch.setattr("ssr.runtime.redis.patience._BACKOFF", quick)
    with server(tmp_path) as redis:
        redis.ask("ACL", "SETUSER", "ssr", "on", ">secret", "~*", "&*", "+@all")
        async with open_redis(f"redis://ssr:secret@{redis.address}") as client, asyncio.timeout(LIMIT_S):

            async def length() -> int:
                with redis_errors():
                    return int(await client.hlen("jobs"))

            await check_access(client)
            redis.ask("ACL", "SETUSER", "ssr", "-hlen")
            with pytest.raises(RedisRefused):
                await check_access(client)
            waiting = asyncio.create_task(patiently("the queue", length))
            while not any("the queue waits" in record.message for record in caplog.records):
                await asyncio.sleep(0.01)
            assert not waiting.done()
            redis.ask("ACL", "SETUSER", "ssr", "+hlen")
            assert await waiting == 0


async def test_pipelines_and_subscriptions_end_in_time_on_a_server_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("client", "subscription"):
        monkeypatch.setattr(f"ssr.runtime.redis.{module}.CALL_S", 0.2)
    with server(tmp_path) as redis:
        async with open_redis(f"redis://{redis.address}") as client, asyncio.timeout(LIMIT_S):
            assert await pipelined(client, [("SET", "a", "1"), ("GET", "a")]) == [True, b"1"]
            redis.stop()
            with pytest.raises(Unavailable):
                await pipelined(client, [("GET", "a")])
            with pytest.raises(Unavailable):
                async with subscribed(client, "news"):
                    raise AssertionError
            reading = asyncio.create_task(pipelined(client, [("GET", "a")]))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            redis.go_on()
            assert await pipelined(client, [("GET", "a")]) == [b"1"]


async def test_a_full_memory_is_reported_as_that(tmp_path: Path) -> None:
    with server(tmp_path, "--maxmemory", 1) as redis:
        async with open_redis(f"redis://{redis.address}") as client:
            with pytest.raises(Unavailable, match="memory is full"), redis_errors():
                await client.eval("return redis.call('SET', KEYS[1], 'value')", 1, "key")


async def test_a_call_that_was_cancelled_never_returns(redis_url: str) -> None:
    """At whatever turn of the loop the cancellation comes; see `cancellation_kept`."""
    async with open_redis(redis_url) as client:
        await client.hlen("a key")
        for turns in range(60):
            call = asyncio.create_task(client.hlen("a key"))
            for _ in range(turns):
                await asyncio.sleep(0)
            cancelled = call.cancel()
            await asyncio.wait([call])
            assert call.cancelled() is cancelled, f"after {turns} turns"
