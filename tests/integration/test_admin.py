"""An operator pauses the queue, drains replicas and queues jobs again; with API keys the administrator alone may."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from conftest import Services, System
from hang_limit import LIMIT_S
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from ssr.cli.app import app
from ssr.client import AsyncClient, Client
from ssr.core.errors import Conflict, NotFound, PermissionDenied
from ssr.core.job import Finished, JobStatus, Priority, Started
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.queue.job_queue import JobQueue, QueueLimits
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.keys import JobKeys
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import open_redis

PROBLEM = "What is (12 * 7) + 19 - 3?"
OPS, ACME = "ops-0123456789abcdef", "acme-0123456789abcdef"


@asynccontextmanager
async def replica(services: Services, name: str, **settings: object) -> AsyncIterator[AsyncClient]:
    own = services.orchestrator.model_copy(update={"replica": name, **settings})
    async with running_orchestrator(own) as port, AsyncClient(f"127.0.0.1:{port}", timeout_s=LIMIT_S) as client:
        yield client


async def ended(client: AsyncClient, job_id: str) -> JobStatus:
    async for _ in client.watch(job_id, timeout_s=LIMIT_S):
        pass
    return (await client.get(job_id)).status


async def owner(services: Services, job_id: str) -> str:
    async with Redis.from_url(services.redis_url) as redis:
        name = await redis.hget(JobKeys(job_id).meta, "owner")
    assert isinstance(name, bytes)
    return name.decode()


async def test_a_paused_queue_gives_no_job_to_any_replica(services: Services) -> None:
    async with replica(services, "one") as client, open_redis(services.redis_url) as redis:
        since = (await client.admin.pause()).paused_since
        assert since is not None
        assert (await client.admin.pause()).paused_since == since  # still that pause
        job = await client.submit(PROBLEM, seed=1)
        other = JobQueue(redis, "other", QueueLimits(10))
        assert await other.take(tuple(Priority)) is None
        assert await other.take_over(tuple(Priority), 0) is None
        assert (await client.get(job.job_id)).status is JobStatus.QUEUED
        state = await client.admin.resume()
        assert (state.paused_since, [one.name for one in state.replicas]) == (None, ["one"])
        assert await ended(client, job.job_id) is JobStatus.ANSWERED


async def test_a_drained_replica_hands_its_jobs_back_and_takes_none(services: Services) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(replica(services, "one"))
        services.draft.faults.set(FaultPlan(rates={FaultKind.HANG: 1.0}))
        job = await one.submit(PROBLEM, seed=1)
        async with asyncio.timeout(LIMIT_S):
            while not services.draft.activity.in_flight:
                await asyncio.sleep(0.005)
        with pytest.raises(NotFound, match="there is no 'nobody'"):
            await one.admin.drain("nobody")
        state = await one.admin.drain("one")
        assert [(replica.name, replica.drained) for replica in state.replicas] == [("one", True)]
        async with asyncio.timeout(LIMIT_S):
            while (await one.get(job.job_id)).status is not JobStatus.QUEUED:  # handed back, and not taken again
                await asyncio.sleep(0.05)
        services.draft.faults.set(FaultPlan())
        two = await stack.enter_async_context(replica(services, "two"))
        assert await ended(two, job.job_id) is JobStatus.ANSWERED
        assert await owner(services, job.job_id) == "two"
        again = await one.submit(PROBLEM, seed=2)  # it goes on answering calls
        assert await ended(one, again.job_id) is JobStatus.ANSWERED
        assert await owner(services, again.job_id) == "two"
        assert (await one.admin.drain()).all_drained
        last = await one.submit(PROBLEM, seed=3)
        state = await one.admin.resume()
        assert not any(replica.drained for replica in state.replicas)
        assert await ended(one, last.job_id) is JobStatus.ANSWERED


async def test_a_failed_job_is_queued_again_and_goes_on(services: Services) -> None:
    async with replica(services, "one") as client:
        calm = await client.solve(PROBLEM, seed=1, paths=1, timeout_s=LIMIT_S)
        services.draft.faults.set(FaultPlan(rates={FaultKind.FAILED: 1.0}))
        job = await client.submit(PROBLEM, seed=1, paths=1, idempotency_key="again")
        assert await ended(client, job.job_id) is JobStatus.FAILED
        services.draft.faults.set(FaultPlan())
        await client.admin.requeue(job.job_id)
        assert await ended(client, job.job_id) is JobStatus.ANSWERED
        done = await client.get(job.job_id)
        assert (done.answer, done.paths, done.error) == (calm.answer, calm.paths, "")
        assert done.created == job.created
        happenings = [event.happening async for event in client.watch(job.job_id)]
        assert [type(one) for one in happenings].count(Finished) == 1
        assert [one.epoch for one in happenings if isinstance(one, Started)] == [1, 2]
        assert (await client.submit(PROBLEM, seed=1, paths=1, idempotency_key="again")).job_id == job.job_id
        with pytest.raises(Conflict, match="the job is answered"):
            await client.admin.requeue(job.job_id)
        with pytest.raises(NotFound):
            await client.admin.requeue("job-0123456789abcdef0123456789abcdef")
        async with Redis.from_url(services.redis_url) as redis:
            assert await redis.hlen("ssr:{queue}:jobs") == 0


async def test_a_parked_job_is_queued_again_and_its_takeovers_are_forgiven(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        replica(services, "one", max_takeovers=1, lease_s=1.0) as client,
        open_redis(services.redis_url) as redis,
    ):
        calm = await client.solve(PROBLEM, seed=1, timeout_s=LIMIT_S)
        await client.admin.drain("one")
        async with asyncio.timeout(LIMIT_S):
            while "and takes no more" not in caplog.text:
                await asyncio.sleep(0.05)
        job = await client.submit(PROBLEM, seed=1)
        entry = await JobQueue(redis, "dead", QueueLimits(10)).take(tuple(Priority))
        assert entry is not None
        store = JobStore(redis, lambda: time.time_ns() // 1_000_000, retention_s=60)
        assert await store.claim(entry.job_id, "dead", entry.entry_id) is not None  # and then it dies
        await client.admin.resume()
        assert await ended(client, job.job_id) is JobStatus.PARKED
        assert "1 replicas died or hung" in (await client.get(job.job_id)).error
        await client.admin.requeue(job.job_id)
        assert await ended(client, job.job_id) is JobStatus.ANSWERED
        done = await client.get(job.job_id)
        assert (done.answer, done.paths, done.error) == (calm.answer, calm.paths, "")


async def test_the_client_without_asyncio_operates_too(services: Services) -> None:
    own = services.orchestrator.model_copy(update={"replica": "one"})
    async with running_orchestrator(own) as port:

        def operate() -> None:
            with Client(f"127.0.0.1:{port}", timeout_s=LIMIT_S) as client:
                assert client.admin.pause().paused_since is not None
                job = client.submit(PROBLEM, seed=1)
                assert client.admin.queue().paused_since is not None
                assert client.admin.drain().all_drained
                resumed = client.admin.resume()
                assert (resumed.paused_since, resumed.all_drained) == (None, False)
                for _ in client.watch(job.job_id, timeout_s=LIMIT_S):
                    pass
                with pytest.raises(Conflict, match="the job is answered"):
                    client.admin.requeue(job.job_id)

        await asyncio.to_thread(operate)


async def test_the_administrator_sees_all_tenants_and_nobody_else_operates(services: Services, tmp_path: Path) -> None:
    for name, key in (("ops", OPS), ("acme", ACME)):
        (tmp_path / name).write_text(key)
    settings = services.orchestrator.model_copy(update={"api_keys": tmp_path, "administrator": "ops"})
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running_orchestrator(settings))
        ops, acme, ops_as_acme = [
            await stack.enter_async_context(AsyncClient(f"127.0.0.1:{port}", api_key=key, tenant=tenant, timeout_s=10))
            for key, tenant in ((OPS, ""), (ACME, ""), (OPS, "acme.eu"))
        ]
        jobs = [await client.submit(PROBLEM, seed=1) for client in (ops, acme, ops_as_acme)]
        assert {job.job_id for job in (await ops.list()).jobs} == {job.job_id for job in jobs}
        assert {job.tenant for job in (await acme.list()).jobs} == {"acme", "acme.eu"}
        assert (await ops.get(jobs[1].job_id)).tenant == "acme"
        for call in (acme.admin.queue, acme.admin.pause, acme.admin.resume, acme.admin.drain):
            with pytest.raises(PermissionDenied, match="acme is not the administrator"):
                await call()
        with pytest.raises(PermissionDenied):
            await acme.admin.requeue(jobs[1].job_id)
        assert (await ops.admin.queue()).paused_since is None


async def test_the_command_line(system: System) -> None:
    async def ssr(*arguments: str) -> Result:
        runner = CliRunner(env={"SSR_SERVER": system.address, "COLUMNS": "60"})
        return await asyncio.to_thread(runner.invoke, app, list(arguments))

    assert (await ssr("pause")).output.startswith("queue: paused since 20")
    assert (await ssr("queue")).output.startswith("queue: paused since 20")
    assert (await ssr("drain", "--all")).output.splitlines()[0].endswith("; all replicas are drained")
    assert (await ssr("resume")).output.startswith("queue: open\n")
    assert (await ssr("drain")).exit_code == 2
    async with AsyncClient(system.address, timeout_s=LIMIT_S) as client:
        job = await client.solve("1 + 1", paths=1, timeout_s=LIMIT_S)
    again = await ssr("requeue", job.job_id)
    assert (again.exit_code, "only one that failed or was parked" in again.output) == (2, True)


async def test_jobs_are_found_by_tenant_error_and_time_and_their_costs_reported(services: Services) -> None:
    async with replica(services, "one") as client:
        address = client._connection._address

        async def ssr(*arguments: str) -> Result:
            runner = CliRunner(env={"SSR_SERVER": address, "COLUMNS": "20"})
            return await asyncio.to_thread(runner.invoke, app, list(arguments))

        async with AsyncClient(address, tenant="acme", timeout_s=LIMIT_S) as acme:
            good = await acme.solve(PROBLEM, seed=1, paths=1, timeout_s=LIMIT_S)
        services.draft.faults.set(FaultPlan(rates={FaultKind.FAILED: 1.0}))
        bad = await client.solve(PROBLEM, seed=2, paths=1, timeout_s=LIMIT_S)
        assert bad.status is JobStatus.FAILED
        assert {line.split()[0] for line in (await ssr("jobs")).output.splitlines()[1:]} == {good.job_id, bad.job_id}
        [found] = [json.loads(line) for line in (await ssr("jobs", "--error", "DRAFTER", "--json")).output.splitlines()]
        assert (found["job_id"], found["status"]) == (bad.job_id, "failed")
        assert not (await ssr("jobs", "--error", "nothing like it", "--json")).output
        [found] = [json.loads(line) for line in (await ssr("jobs", "--tenant", "acme", "--json")).output.splitlines()]
        assert found["job_id"] == good.job_id
        assert not (await ssr("jobs", "--since", "2999-01-01", "--json")).output
        assert (await ssr("jobs", "--since", "soon")).exit_code == 2
        costs = [json.loads(line) for line in (await ssr("usage", "--since", "1h", "--json")).output.splitlines()]
        assert [(cost["tenant"], cost["mode"], cost["jobs"]) for cost in costs] == [
            ("acme", "ssr", 1),
            ("default", "ssr", 1),
        ]
        assert costs[0]["generated_tokens"] == sum(model.generated_tokens for model in good.usage.models) > 0
        assert costs[0]["flops"] == good.usage.total_flops > 0
        for name in ("draft_engine_s", "target_engine_s", "selection_engine_s"):
            assert costs[0][name] == getattr(good.usage, name) > 0
        assert costs[0]["untimed_jobs"] == 0
