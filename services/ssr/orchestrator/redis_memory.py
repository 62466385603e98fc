"""Redis' memory: how full it is, and whether Redis throws keys away when it is full.

A queue that loses keys loses jobs: any maxmemory-policy but noeviction is said loudly.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from redis.asyncio.cluster import RedisCluster

from ssr.core.errors import SsrError
from ssr.orchestrator.metrics.redis_memory import KEEPS, MemoryMetrics, RedisMemory
from ssr.runtime.background import supervised
from ssr.runtime.redis.client import RedisClient
from ssr.runtime.redis.failures import RedisRefused, redis_errors

_log = logging.getLogger(__name__)

#: Seconds between looks.
_EVERY_S = 15.0


def watching_memory(
    redis: RedisClient, metrics: MemoryMetrics, every_s: float = _EVERY_S
) -> AbstractAsyncContextManager[None]:
    """Look at Redis' memory until the block ends, and say in the log when its policy would lose jobs."""
    return supervised(_watch(redis, metrics, every_s), "redis-memory")


async def _watch(redis: RedisClient, metrics: MemoryMetrics, every_s: float) -> None:
    policy = KEEPS
    while True:
        try:
            metrics.seen = await fullest_server(redis)
        except RedisRefused as error:
            _log.warning("how full Redis is stays unknown, and whether its maxmemory-policy is noeviction: %s", error)
            return
        except SsrError as error:
            metrics.seen = None
            _log.debug("Redis' memory is not known now: %s", error)
        if metrics.seen is not None and metrics.seen.policy != policy:
            policy = metrics.seen.policy
            _say(metrics.seen)
        await asyncio.sleep(every_s)


def _say(memory: RedisMemory) -> None:
    if memory.evicts:
        _log.warning("Redis' maxmemory-policy is %s: when it is full it drops jobs; set noeviction", memory.policy)
    else:
        _log.info("Redis' maxmemory-policy is noeviction now")


async def fullest_server(redis: RedisClient) -> RedisMemory:
    """The memory of Redis; in a cluster, of the master that would lose jobs first.

    Raises: as `redis_errors`.
    """
    with redis_errors():
        if isinstance(redis, RedisCluster):
            replies = await redis.info("memory", target_nodes=RedisCluster.PRIMARIES)
            infos = list(replies.values()) if all(isinstance(one, dict) for one in replies.values()) else [replies]
        else:
            infos = [await redis.info("memory")]
    return max(map(RedisMemory.of, infos), key=lambda memory: (memory.evicts, memory.part))
