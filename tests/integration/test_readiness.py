"""A server's health by its name, while the Redis that it needs comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import Services
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S
from reasoning_server import ScriptedReasoning
from valkey_servers import server

from ssr.cli.stack.ports import free_port
from ssr.orchestrator.queue.wakeups import running_wakeups
from ssr.orchestrator.readiness import redis_readiness
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.redis.client import open_redis
from ssr.runtime.rpc.server import Servicer, running_server

SERVICE = "ssr.v1.ReasoningService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def health_of_server(redis_url: str, patience: int = 3) -> AsyncIterator[Any]:
    async with (
        asyncio.timeout(LIMIT_S),
        open_redis(redis_url) as redis,
        running_server(
            [Servicer(SERVICE, ScriptedReasoning().add_to)],  # type: ignore[abstract]
            host="127.0.0.1",
            port=0,
            grace_s=0,
            readiness=partial(redis_readiness, redis, every_s=0.05, patience=patience),
        ) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield health_pb2_grpc.HealthStub(channel)


async def until(health: Any, status: int) -> None:
    """Until the service has this status."""
    watched = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    async for reply in watched:
        if reply.status == status:
            break
    watched.cancel()


async def lives(health: Any) -> bool:
    reply = await health.Check(health_pb2.HealthCheckRequest())
    return bool(reply.status == SERVING)


async def test_a_replica_is_ready_while_it_reaches_redis_and_alive_all_the_time(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        async with health_of_server(f"redis://{redis.address}") as health:
            await until(health, SERVING)
            redis.kill()
            await until(health, NOT_SERVING)
            assert await lives(health)
            with server(tmp_path, port=redis.port):
                await until(health, SERVING)
                assert await lives(health)


async def test_a_redis_that_says_nothing_is_not_reached(tmp_path: Path) -> None:
    with server(tmp_path) as redis:
        async with health_of_server(f"redis://{redis.address}", patience=1) as health:
            await until(health, SERVING)
            redis.stop()
            await until(health, NOT_SERVING)
            redis.go_on()
            await until(health, SERVING)


async def test_a_replica_that_starts_before_redis_is_alive_and_not_ready(tmp_path: Path) -> None:
    port = free_port()
    async with health_of_server(f"redis://127.0.0.1:{port}") as health:
        await until(health, NOT_SERVING)
        assert await lives(health)
        with server(tmp_path, port=port):
            await until(health, SERVING)


async def test_an_orchestrator_looks_with_a_client_of_its_own(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst of jobs has calls wait for each other; a look must not wait behind them."""
    working: list[Any] = []
    looking: list[Any] = []

    def wakeups(redis: Any) -> Any:
        working.append(redis)
        return running_wakeups(redis)

    def readiness(redis: Any, *args: Any) -> Any:
        looking.append(redis)
        return redis_readiness(redis, *args)

    monkeypatch.setattr("ssr.orchestrator.service.running_wakeups", wakeups)
    monkeypatch.setattr("ssr.orchestrator.service.redis_readiness", readiness)
    async with running_orchestrator(services.orchestrator):
        assert [*map(type, looking)] == [*map(type, working)]
        assert looking[0] is not working[0]
