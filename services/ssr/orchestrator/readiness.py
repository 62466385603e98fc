"""Readiness: whether this replica is to be given calls, which it can answer only while it reaches Redis.

Being alive is another matter: a replica without Redis waits for it, and starting it anew would help nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from ssr.core.errors import SsrError, Unavailable
from ssr.orchestrator.queue.keys import UNFINISHED
from ssr.runtime.redis.client import RedisClient
from ssr.runtime.redis.failures import redis_errors

_log = logging.getLogger(__name__)

#: Seconds between looks.
_EVERY_S = 1.0
#: So many looks in a row have to fail: a connection that is lost and made again is no reason to turn callers away.
_PATIENCE = 3


async def check_access(redis: RedisClient) -> None:
    """Raises: RedisRefused where Redis refuses this replica at its start; one that is away is waited for later."""
    with suppress(Unavailable):
        await _look_at(redis)


async def _look_at(redis: RedisClient) -> None:
    """Raises: as `redis_errors`."""
    with redis_errors():
        await redis.hlen(UNFINISHED)  # of the queue's key: in a cluster, the node that has it must answer


@asynccontextmanager
async def redis_readiness(
    redis: RedisClient,
    report: Callable[[bool], Awaitable[None]],
    *,
    every_s: float = _EVERY_S,
    patience: int = _PATIENCE,
) -> AsyncIterator[None]:
    """Reports whether Redis can be reached, at every change until the block ends; before the first, it cannot.

    It can as soon as one look succeeds, and cannot once `patience` in a row have failed.
    """

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(
            watch(partial(_look_at, redis), report, every_s=every_s, patience=patience), name="readiness"
        )
        yield
        watching.cancel()


async def watch(
    look: Callable[[], Awaitable[None]], report: Callable[[bool], Awaitable[None]], *, every_s: float, patience: int
) -> None:
    """Look for ever, and report changes, as `redis_readiness` does; a look fails with any error of ours."""
    ready, failures = False, 0
    while True:
        try:
            await look()
            failures = 0
        except SsrError as error:
            failures += 1
            if failures == patience:
                _log.warning("not ready for calls: %s", error)
        reached = failures == 0 or (ready and failures < patience)
        if reached is not ready:
            ready = reached
            await report(ready)
            if ready:
                _log.info("ready for calls")
        await asyncio.sleep(every_s)
