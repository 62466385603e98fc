"""Which job a request of the gateway's is: retries join the one that is there, and callers that go leave it."""

from __future__ import annotations

import asyncio
import json

from aiohttp import ClientSession
from conftest import Services, System
from gateway_server import (
    ANSWER,
    BUSY,
    HANG,
    asked,
    busy,
    ended,
    gateway,
    http,
    jobs,
    post,
    until,
)
from hang_limit import LIMIT_S
from redis.asyncio import Redis

from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.core.job import JobStatus
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.orchestrator.queue.keys import JobKeys
from ssr.orchestrator.service import running_orchestrator

#: Of the gateway: short pauses.
SETTINGS = {"linger_s": 0.2, "comment_s": 0.05, "chunk_s": 0.2}


async def test_a_retry_joins_the_job_that_runs(session: ClientSession, ssr: AsyncClient, system: System) -> None:
    system.draft.faults.set(BUSY)
    tries = [asyncio.create_task(post(session, asked())) for _ in range(3)]
    await busy(system.draft)
    system.draft.faults.set(FaultPlan())
    replies = [await one for one in tries]
    assert [status for status, *_ in replies] == [200, 200, 200]
    assert len(await jobs(ssr)) == 1


async def test_the_same_request_later_is_another_job_and_a_retry_of_it_is_not(system: System, ssr: AsyncClient) -> None:
    async with gateway(system.address, join_s=0) as address, http(address) as session:
        ids = [(await post(session, asked()))[1]["ssr"]["job_id"] for _ in range(3)]
        assert len(set(ids)) == len(await jobs(ssr)) == 3
        retry = await post(session, asked(), **{"x-stainless-retry-count": "1"})
        assert retry[1]["ssr"]["job_id"] == ids[-1]


async def test_an_idempotency_key_names_its_job(system: System) -> None:
    async with gateway(system.address, join_s=0) as address, http(address) as session:
        first = await post(session, asked(), **{"Idempotency-Key": "k"})
        again = await post(session, asked(), **{"Idempotency-Key": "k"})
        assert first[1]["ssr"]["job_id"] == again[1]["ssr"]["job_id"]
        status, reply, _ = await post(session, asked("What is 2 + 2?"), **{"Idempotency-Key": "k"})
        assert status == 409
        assert reply["error"]["code"] == "idempotency_key_in_use"


async def test_closing_a_stream_cancels_its_job_at_once(
    session: ClientSession, ssr: AsyncClient, system: System
) -> None:
    system.draft.faults.set(HANG)
    async with session.post("/v1/chat/completions", json=asked(stream=True)) as reply:
        assert b"assistant" in await reply.content.readline()
        await until(lambda: system.draft.activity.in_flight > 0)
        (job,) = await jobs(ssr)
    assert (await ended(ssr, job.job_id)).status is JobStatus.CANCELLED
    await until(lambda: system.draft.activity.in_flight == 0)


async def test_a_caller_that_goes_before_the_first_byte_leaves_the_job_to_its_retry(
    system: System, ssr: AsyncClient
) -> None:
    system.draft.faults.set(BUSY)
    async with gateway(system.address) as address, http(address) as session:
        lost = asyncio.create_task(post(session, asked()))
        await busy(system.draft)
        lost.cancel()
        retry = asyncio.create_task(post(session, asked()))
        async with Redis.from_url(system.redis_url) as redis:
            (job,) = await jobs(ssr)
            async with asyncio.timeout(LIMIT_S):
                while await redis.hlen(JobKeys(job.job_id).waiters) < 2:  # the retry has joined
                    await asyncio.sleep(0.005)
                while await redis.hlen(JobKeys(job.job_id).waiters) > 1:  # the lost try has left
                    await asyncio.sleep(0.005)
        system.draft.faults.set(FaultPlan())
        status, reply, _ = await retry
    assert (status, reply["ssr"]["job_id"]) == (200, job.job_id)
    assert len(await jobs(ssr)) == 1


async def test_a_caller_that_never_comes_back_costs_a_moment(
    session: ClientSession, ssr: AsyncClient, system: System
) -> None:
    system.draft.faults.set(HANG)
    lost = asyncio.create_task(post(session, asked()))
    await until(lambda: system.draft.activity.in_flight > 0)
    lost.cancel()
    (job,) = await jobs(ssr)
    assert (await ended(ssr, job.job_id)).status is JobStatus.CANCELLED


async def test_no_step_comes_twice_when_an_orchestrator_dies(services: Services) -> None:
    port = free_port()
    settings = services.orchestrator.model_copy(update={"port": port, "lease_s": 1.0})
    body = asked(seed=3, stream=True, ssr={"mode": "parallel"})
    services.target.faults.set(FaultPlan(rates={FaultKind.OVERLOADED: 0.7}))
    async with gateway(f"127.0.0.1:{port}") as address, http(address) as session:
        async with running_orchestrator(settings):
            reply = await session.post("/v1/chat/completions", json=body)
            lines = [await reply.content.readline()]
            while b"reasoning" not in lines[-1]:
                lines.append(await reply.content.readline())
        services.target.faults.set(FaultPlan())
        async with running_orchestrator(settings):
            lines += [line async for line in reply.content]
    assert lines[-2] == b"data: [DONE]\n"
    chunks = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    steps = [delta["reasoning"].strip() for delta in deltas if "reasoning" in delta]
    assert len(steps) == len(set(steps)) > 1
    assert ANSWER in "".join(delta.get("content", "") for delta in deltas)
