"""Hints that something happened to a job, from any replica: one subscription for all who wait here.

A notice can be lost (a reconnect); whoever waits looks for itself now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from redis.exceptions import RedisError

from ssr.orchestrator.keys import NOTICES
from ssr.orchestrator.redis_client import RedisClient

_log = logging.getLogger(__name__)

EVENT = "event"
CANCEL = "cancel"
FINISHED = "finished"
QUEUED = "queued"
RELEASED = "released"
#: Whose notices QUEUED and RELEASED are: any job of the queue's.
QUEUE = "queue"

_RECONNECT_S = 0.5


class Notices:
    """Wakes those who wait for news of a job. Use as `async with running_notices(redis) as notices`."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}

    @contextmanager
    def of(self, what: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at every notice `what` of the job while the block runs; the caller clears it."""
        event, key = asyncio.Event(), (what, job_id)
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    def notify(self, what: str, job_id: str) -> None:
        for event in self._waiting.get((what, job_id), ()):
            event.set()

    def notify_all(self) -> None:
        """Notices may have been lost: everybody looks."""
        for events in self._waiting.values():
            for event in events:
                event.set()


@asynccontextmanager
async def running_notices(redis: RedisClient) -> AsyncIterator[Notices]:
    """Notices, listening until the block ends."""
    notices = Notices()
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_listen(redis, notices), name="notices")
        yield notices
        listening.cancel()


async def _listen(redis: RedisClient, notices: Notices) -> None:
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(NOTICES)
                notices.notify_all()
                while True:
                    message = await channel.get_message(timeout=_RECONNECT_S)
                    if message is not None:
                        what, _, job_id = message["data"].decode().partition(" ")
                        notices.notify(what, job_id)
        except (RedisError, OSError) as error:
            _log.warning("notices: Redis cannot be reached (%s); trying again", error)
            await asyncio.sleep(_RECONNECT_S)
