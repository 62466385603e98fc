"""Limits a minute, and of unfinished jobs, over a real Valkey and the whole system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Services
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from pydantic import ValidationError

from ssr.client import AsyncClient
from ssr.core.allowance import Allowance
from ssr.core.errors import InvalidRequest, NotFound, Overloaded
from ssr.core.job import Job, JobStatus
from ssr.core.ledger import Ledger
from ssr.core.types import Call, CallKind, Options
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.queue.rates import Rate, RateLimits, Rates
from ssr.orchestrator.rate_settings import rates_of
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.redis.client import open_redis
from ssr.v1 import admin_pb2, admin_pb2_grpc, reasoning_pb2_grpc
from ssr.v1 import reasoning_pb2 as pb

NOW = 1_700_000_000_000


async def test_a_minute_has_so_many_jobs(redis_url: str) -> None:
    limits = RateLimits(tenants={"*": Rate(jobs=3)}, callers={"acme": Rate(paths=20)})
    async with open_redis(redis_url) as redis:
        rates = Rates(redis, limits)
        for _ in range(3):
            await rates.take("other", 5, NOW)
        with pytest.raises(Overloaded, match="tenant other: 3 jobs a minute") as caught:
            await rates.take("other", 5, NOW)
        assert caught.value.delay_s == 20
        await rates.take("other", 5, NOW + 20_000)
        for tenant in ("acme", "acme.eu", "acme.us", "acme.us"):
            await rates.take(tenant, 5, NOW)
        with pytest.raises(Overloaded, match="caller acme: 20 paths a minute") as caught:
            await rates.take("acme.eu", 5, NOW)
        assert caught.value.delay_s == 15
        await rates.take("acme.eu", 5, NOW + 15_000)


async def test_what_is_left_can_be_seen_and_seeing_it_takes_nothing(redis_url: str) -> None:
    limits = RateLimits(tenants={"*": Rate(jobs=4, tokens=1000)}, callers={"acme": Rate(paths=60)})
    async with open_redis(redis_url) as redis:
        rates = Rates(redis, limits)
        await rates.take("acme", 5, NOW)
        for _ in range(2):
            assert await rates.look("acme", NOW) == (
                Allowance("jobs", 4, 3, 15.0),
                Allowance("tokens", 1000, 1000, 0.0),
                Allowance("paths", 60, 55, 5.0),
            )
        assert (await rates.look("acme", NOW + 15_000))[0] == Allowance("jobs", 4, 4, 0.0)
        for _ in range(4):
            await rates.take("other", 5, NOW)
        assert (await rates.look("other", NOW))[0] == Allowance("jobs", 4, 0, 60.0)
        with pytest.raises(Overloaded) as caught:
            await rates.take("other", 5, NOW)
        assert caught.value.used_up == Allowance("jobs", 4, 0, 15.0)
        assert await Rates(redis, RateLimits()).look("acme", NOW) == ()


async def test_what_is_refused_takes_nothing(redis_url: str) -> None:
    limits = RateLimits(tenants={"*": Rate(jobs=10, paths=4)})
    async with open_redis(redis_url) as redis:
        rates = Rates(redis, limits)
        await rates.take("a", 4, NOW)
        for _ in range(20):
            with pytest.raises(Overloaded, match="4 paths"):
                await rates.take("a", 4, NOW)
        await rates.take("a", 4, NOW + 60_000)
        await rates.take("b", 16, NOW)  # more than a minute's at once, when nothing is used


async def test_tokens_count_when_they_are_used(redis_url: str) -> None:
    usage = Ledger().add([Call(CallKind.DRAFT, "m", 1, 5, 0, 3_000)]).usage()
    job = Job("job-1", JobStatus.ANSWERED, "p", Options(), usage=usage, tenant="a")
    async with open_redis(redis_url) as redis:
        rates = Rates(redis, RateLimits(tenants={"a": Rate(tokens=1_000)}))
        await rates.take("a", 5, NOW)
        await rates.ended(job, NOW)
        with pytest.raises(Overloaded, match="1000 tokens a minute") as caught:
            await rates.take("a", 5, NOW)
        assert caught.value.delay_s == 120
        await rates.take("a", 5, NOW + 120_000)
        await rates.ended(replace(job, tenant="b"), NOW)


async def test_what_was_taken_can_be_given_back(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        rates = Rates(redis, RateLimits(tenants={"*": Rate(jobs=10)}))
        await rates.take("a", 8, NOW, jobs=8)
        with pytest.raises(Overloaded, match="10 jobs"):
            await rates.take("a", 3, NOW, jobs=3)
        await rates.give_back("a", 8, NOW, jobs=8)
        await rates.take("a", 10, NOW, jobs=10)


def test_rates_as_settings_write_them() -> None:
    where = {"redis_url": "redis://x", "selector": "a:1", "drafter": "a:2", "verifier": "a:3"}
    settings = OrchestratorSettings(**where, tenant_rates="*=jobs:60/paths:300, acme=tokens:1000000")  # type: ignore[arg-type]
    assert rates_of(settings.tenant_rates) == {"*": Rate(jobs=60, paths=300), "acme": Rate(tokens=1_000_000)}
    for wrong in ("acme", "acme=jobs", "acme=jobs:0", "acme=cows:1", "=jobs:1"):
        with pytest.raises((ValidationError, InvalidRequest)):
            OrchestratorSettings(**where, caller_rates=wrong)  # type: ignore[arg-type]


async def test_the_api_refuses_with_a_time_to_come_back(services: Services) -> None:
    update = {"tenant_rates": "*=jobs:2", "caller_jobs": 3}
    settings = OrchestratorSettings.model_validate({**services.orchestrator.model_dump(), **update})
    async with running_orchestrator(settings) as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)

        async def submit(number: int, key: str = "", tenant: str = "acme") -> pb.Job:
            asked = pb.SolveRequest(problem=f"{number} + 1", idempotency_key=key, options=pb.Options(paths=1))
            return await stub.Submit(asked, metadata=(("x-ssr-tenant", tenant),), timeout=LIMIT_S)

        first = await submit(1, "k")
        await submit(2)
        assert (await submit(1, "k")).job_id == first.job_id, "the same job again takes nothing"
        with pytest.raises(aio.AioRpcError) as caught:
            await submit(3)
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert "tenant acme: 2 jobs a minute" in (caught.value.details() or "")
        async with AsyncClient(f"127.0.0.1:{port}", tenant="acme", timeout_s=1) as client:
            with pytest.raises(Overloaded) as refused:
                await client.submit("4 + 4")
            assert 20 < refused.value.delay_s <= 30


async def test_a_callers_unfinished_jobs_are_limited(services: Services) -> None:
    settings = services.orchestrator.model_copy(update={"caller_jobs": 2, "max_paths": 16})
    services.draft.faults.set(FaultPlan(rates={FaultKind.HANG: 1.0}))
    async with running_orchestrator(settings) as port:

        async def submit(tenant: str) -> str:
            async with AsyncClient(f"127.0.0.1:{port}", tenant=tenant, timeout_s=1) as client:
                return (await client.submit("1 + 1", paths=1)).job_id

        held = [await submit("acme.eu"), await submit("acme")]
        with pytest.raises(Overloaded, match="caller acme: 2 unfinished jobs"):
            await submit("acme.us")
        other = await submit("acme-2")
        async with AsyncClient(f"127.0.0.1:{port}", timeout_s=LIMIT_S) as client:
            for job_id in (*held, other):
                await client.cancel(job_id)


async def test_tenants_under_one_key_may_be_walled_off(services: Services, tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("acme-key-0123456789\n")
    settings = services.orchestrator.model_copy(update={"api_keys": tmp_path, "subtenants_apart": True})
    async with running_orchestrator(settings) as port:

        def client(tenant: str) -> AsyncClient:
            return AsyncClient(f"127.0.0.1:{port}", api_key="acme-key-0123456789", tenant=tenant, timeout_s=LIMIT_S)

        async with client("acme.eu") as eu, client("acme.us") as us, client("") as acme:
            mine = await eu.solve("1 + 1", paths=1, timeout_s=LIMIT_S)
            assert (await eu.get(mine.job_id)).tenant == "acme.eu"
            for other in (us, acme):
                with pytest.raises(NotFound):
                    await other.get(mine.job_id)
                assert (await other.list()).jobs == ()
            assert [job.job_id for job in (await eu.list()).jobs] == [mine.job_id]


async def test_a_batch_is_taken_in_whole_or_not_at_all(services: Services) -> None:
    """Neither a rate nor the room in the queue lets a part of a batch through, and what is refused takes nothing."""
    update = {"tenant_rates": "rated=jobs:4", "max_unfinished": 6}
    settings = OrchestratorSettings.model_validate({**services.orchestrator.model_dump(), **update})
    async with running_orchestrator(settings) as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        await admin.PauseQueue(admin_pb2.PauseQueueRequest(), timeout=LIMIT_S)

        async def batch(jobs: int, tenant: str, key: str = "") -> pb.Batch:
            requests = [pb.SolveRequest(problem=f"1+{n}?", options=pb.Options(paths=1, seed=1)) for n in range(jobs)]
            asked = pb.CreateBatchRequest(requests=requests, idempotency_key=key)
            made: pb.Batch = await stub.CreateBatch(asked, metadata=[("x-ssr-tenant", tenant)], timeout=LIMIT_S)
            return made

        async def jobs_of(tenant: str) -> int:
            listed = await stub.List(pb.ListRequest(tenant=tenant), timeout=LIMIT_S)
            return len(listed.jobs)

        async def refused(jobs: int, tenant: str, key: str = "") -> None:
            with pytest.raises(aio.AioRpcError) as caught:
                await batch(jobs, tenant, key)
            assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED

        assert (await batch(3, "rated", "first")).total == 3
        await refused(2, "rated", "second")
        assert await jobs_of("rated") == 3
        assert (await batch(1, "rated")).total == 1
        assert (await batch(3, "rated", "first")).total == 3, "what there is takes nothing"
        await refused(3, "other")
        assert await jobs_of("other") == 0
        assert (await batch(2, "other", "room")).total == 2
        await refused(1, "other")
        await admin.ResumeQueue(admin_pb2.ResumeQueueRequest(), timeout=LIMIT_S)
