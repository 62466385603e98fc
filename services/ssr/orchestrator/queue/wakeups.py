"""Hints that something happened to a job, from any replica: one subscription for all who wait here.

A wake-up can be lost (a reconnect); whoever waits looks for itself now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ssr.core.errors import SsrError
from ssr.orchestrator.queue.keys import WAKEUPS
from ssr.runtime.redis.client import RedisClient
from ssr.runtime.redis.failures import redis_errors
from ssr.runtime.redis.subscription import subscribed

_log = logging.getLogger(__name__)

EVENT = "event"
CANCEL = "cancel"
FINISHED = "finished"
QUEUED = "queued"
RELEASED = "released"
#: Whose wake-ups QUEUED and RELEASED are: any job of the queue's.
QUEUE = "queue"

_RECONNECT_S = 0.5


class Wakeups:
    """Wakes those who wait for news of a job. Use as `async with running_wakeups(redis) as wakeups`."""

    def __init__(self) -> None:
        # By the message as it comes, so that one that nobody here waits for costs a look-up and no more.
        self._waiting: dict[bytes, set[asyncio.Event]] = {}

    @contextmanager
    def of(self, what: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at every wake-up `what` of the job while the block runs; the caller clears it."""
        event, wakeup = asyncio.Event(), _message(what, job_id)
        self._waiting.setdefault(wakeup, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[wakeup].discard(event)
            if not self._waiting[wakeup]:
                del self._waiting[wakeup]

    def notify(self, what: str, job_id: str) -> None:
        self.heard(_message(what, job_id))

    def heard(self, wakeup: bytes) -> None:
        """A wake-up came, as "<what> <job id>"."""
        for event in self._waiting.get(wakeup, ()):
            event.set()

    def notify_all(self) -> None:
        """Wake-ups may have been lost: everybody looks."""
        for events in self._waiting.values():
            for event in events:
                event.set()


def _message(what: str, job_id: str) -> bytes:
    return f"{what} {job_id}".encode()


@asynccontextmanager
async def running_wakeups(redis: RedisClient) -> AsyncIterator[Wakeups]:
    """Wake-ups, listening until the block ends."""
    wakeups = Wakeups()
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(_listen(redis, wakeups), name="wakeups")
        yield wakeups
        listening.cancel()


async def _listen(redis: RedisClient, wakeups: Wakeups) -> None:
    while True:
        try:
            with redis_errors():
                async with subscribed(redis, WAKEUPS) as messages:
                    wakeups.notify_all()
                    async for batch in messages:
                        for wakeup in batch:
                            wakeups.heard(wakeup)
        except SsrError as error:
            _log.warning("wakeups: trying again: %s", error)
            wakeups.notify_all()
            await asyncio.sleep(_RECONNECT_S)
