"""How full Redis is, whether it drops keys and whether it was emptied is seen and said."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hang_limit import LIMIT_S
from prometheus_client import CollectorRegistry
from valkey_servers import cluster, server

from ssr.orchestrator.metrics.redis_memory import MemoryMetrics
from ssr.orchestrator.queue.keys import MARK
from ssr.orchestrator.redis_mark import mark, watching_mark
from ssr.orchestrator.redis_memory import fullest_server, watching_memory
from ssr.runtime.redis.client import open_redis


async def until_seen(metrics: MemoryMetrics) -> None:
    async with asyncio.timeout(LIMIT_S):
        while metrics.seen is None:
            await asyncio.sleep(0.01)


async def test_a_redis_that_evicts_is_said_once_and_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    metrics = MemoryMetrics(registry)
    with server(tmp_path, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as evicting:
        async with open_redis(f"redis://{evicting.address}") as redis, watching_memory(redis, metrics, every_s=0.01):
            await until_seen(metrics)
            await asyncio.sleep(0.1)  # many more looks
            assert registry.get_sample_value("ssr_redis_evicts") == 1
            assert registry.get_sample_value("ssr_redis_memory_bytes", {"kind": "limit"}) == 64 * 2**20
            assert registry.get_sample_value("ssr_redis_memory_bytes", {"kind": "used"}) > 0  # type: ignore[operator]
            evicting.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
            async with asyncio.timeout(LIMIT_S):
                while registry.get_sample_value("ssr_redis_evicts") == 1:
                    await asyncio.sleep(0.01)
    said = [record.getMessage() for record in caplog.records if "maxmemory-policy is allkeys-lru" in record.message]
    assert len(said) == 1


async def test_without_a_limit_and_with_noeviction_there_is_nothing_to_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    metrics = MemoryMetrics(registry)
    with server(tmp_path) as plain:
        async with open_redis(f"redis://{plain.address}") as redis, watching_memory(redis, metrics):
            await until_seen(metrics)
    assert registry.get_sample_value("ssr_redis_evicts") == 0
    assert registry.get_sample_value("ssr_redis_memory_bytes", {"kind": "limit"}) is None
    assert "maxmemory" not in caplog.text


async def test_a_user_that_may_not_look_is_said_once_and_nothing_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = MemoryMetrics(CollectorRegistry())
    with server(tmp_path) as plain:
        plain.ask("ACL", "SETUSER", "ssr", "on", ">secret", "~*", "&*", "+@all", "-info")
        url = f"redis://ssr:secret@{plain.address}"
        async with open_redis(url) as redis, watching_memory(redis, metrics, every_s=0.01):
            async with asyncio.timeout(LIMIT_S):
                while "maxmemory-policy" not in caplog.text:
                    await asyncio.sleep(0.01)
            await redis.set("x", "y")
    assert metrics.seen is None


async def test_of_a_cluster_it_is_the_master_that_would_lose_jobs_first(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        nodes.masters[1].ask("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        async with open_redis(nodes.url) as redis:
            memory = await fullest_server(redis)
    assert memory.policy == "volatile-ttl"


async def test_an_emptied_redis_is_seen_whoever_marks_it_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Jobs that only waited in it leave no other trace."""
    seen: list[str] = []

    async def until(count: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(seen) < count:
                await asyncio.sleep(0.01)

    with server(tmp_path) as plain:
        async with (
            open_redis(f"redis://{plain.address}") as redis,
            watching_mark(redis, lambda: seen.append("emptied"), every_s=0.01),
        ):
            async with asyncio.timeout(LIMIT_S):
                while plain.ask("GET", MARK) is None:
                    await asyncio.sleep(0.01)
            plain.ask("FLUSHALL")
            await until(1)
            plain.ask("FLUSHALL")
            await mark(redis)  # another replica is there first
            await until(2)
    assert len(seen) == 2
    assert caplog.text.count("Redis was emptied") == 2


async def test_a_replica_that_starts_on_an_emptied_redis_has_nothing_to_say(tmp_path: Path) -> None:
    emptied: list[str] = []
    with server(tmp_path) as plain:
        async with open_redis(f"redis://{plain.address}") as redis:
            for _ in range(2):
                async with watching_mark(redis, lambda: emptied.append("one"), every_s=0.01):
                    await asyncio.sleep(0.05)
    assert emptied == []
