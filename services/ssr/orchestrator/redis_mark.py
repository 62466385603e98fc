"""A mark in Redis, by which replicas see that it was emptied, also while no job in hand would be missed.

The mark is any value that whoever finds none writes. It has no time to live and nothing else deletes it: another one
means that what was there before is gone, the queue with it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from ssr.core.errors import SsrError
from ssr.orchestrator.queue.keys import MARK
from ssr.runtime.background import supervised
from ssr.runtime.redis.client import RedisClient, pipelined

_log = logging.getLogger(__name__)

#: Seconds between looks.
_EVERY_S = 5.0


def watching_mark(
    redis: RedisClient, emptied: Callable[[], None], every_s: float = _EVERY_S
) -> AbstractAsyncContextManager[None]:
    """Look at the mark until the block ends; `emptied` is called when it is another one than before."""
    return supervised(_watch(redis, emptied, every_s), "redis-mark")


async def _watch(redis: RedisClient, emptied: Callable[[], None], every_s: float) -> None:
    known: str | None = None
    while True:
        try:
            found = await mark(redis)
        except SsrError as error:  # others say so loudly
            _log.debug("the mark in Redis is not known now: %s", error)
        else:
            if known is not None and found != known:
                _log.warning("Redis was emptied: the jobs that waited in it are lost; callers must submit them again")
                emptied()
            known = found
        await asyncio.sleep(every_s)


async def mark(redis: RedisClient) -> str:
    """The mark that is there, or was written now. Raises: Unavailable; RedisRefused without the right to."""
    _, found = await pipelined(redis, [("SET", MARK, uuid.uuid4().hex, "NX"), ("GET", MARK)])
    return str(found, "ascii") if isinstance(found, bytes) else str(found)
