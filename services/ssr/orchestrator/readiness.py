"""Readiness: whether this replica is to be given calls, which it can answer only while it reaches Redis.

Being alive is another matter: a replica without Redis waits for it, and starting it anew would help nothing. Being busy
is another matter too: the looks have a connection of their own, behind no other call, and one whose answer this process
was too late to read says little about Redis. If busy replicas were taken out, the others would get their calls.
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
from ssr.runtime.redis.failures import RedisSilent, redis_errors

_log = logging.getLogger(__name__)

#: Seconds between looks.
_EVERY_S = 1.0
#: So many looks in a row have to fail: a connection that is lost and made again is no reason to turn callers away.
_PATIENCE = 3
#: A look without an answer counts a fifth where this process's loop was late by more than so many seconds meanwhile:
#: Redis that hangs is noticed all the same, if later.
_LATE_S = 0.25
_WEIGHT = 5
#: Seconds between two turns of the loop that are timed.
_TURN_S = 0.1


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

    It can as soon as one look succeeds, and cannot once `patience` in a row have failed. `redis` should have nothing
    else to do, or looks wait behind other calls.
    """

    turns = LoopTurns()
    looking = watch(partial(_look_at, redis), report, turns.late_s, every_s=every_s, patience=patience)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(looking, name="readiness"),
            group.create_task(turns.measure(), name="loop turns"),
        ]
        yield
        for task in tasks:
            task.cancel()


class LoopTurns:
    """How late the turns of this process's loop come."""

    def __init__(self) -> None:
        self._due = asyncio.get_running_loop().time() + _TURN_S
        self._worst_s = 0.0

    async def measure(self) -> None:
        """Time the loop's turns for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            self._due = clock() + _TURN_S
            await asyncio.sleep(_TURN_S)
            self._worst_s = max(self._worst_s, clock() - self._due)

    def late_s(self) -> float:
        """How late the latest turn was since this was asked last, in seconds."""
        worst_s, self._worst_s = max(self._worst_s, asyncio.get_running_loop().time() - self._due), 0.0
        return worst_s


async def watch(
    look: Callable[[], Awaitable[None]],
    report: Callable[[bool], Awaitable[None]],
    late_s: Callable[[], float],
    *,
    every_s: float,
    patience: int,
) -> None:
    """Look for ever, and report changes, as `redis_readiness` does; a look fails with any error of ours.

    `late_s` says how many seconds late the loop was since it was asked last.
    """
    limit = patience * _WEIGHT
    ready, failures = False, 0
    while True:
        late_s()
        try:
            await look()
            failures = 0
        except SsrError as error:
            late = isinstance(error, RedisSilent) and late_s() > _LATE_S
            before, failures = failures, failures + (1 if late else _WEIGHT)
            if before < limit <= failures:
                _log.warning("not ready for calls: %s", error)
        reached = failures == 0 or (ready and failures < limit)
        if reached is not ready:
            ready = reached
            await report(ready)
            if ready:
                _log.info("ready for calls")
        await asyncio.sleep(every_s)
