"""Hints that something happened to a job, from any replica: one subscription for all who wait here.

A notice can be lost (a reconnect); whoever waits looks for itself now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ssr.core.errors import SsrError
from ssr.orchestrator.keys import NOTICES
from ssr.redis.client import RedisClient
from ssr.redis.failures import redis_errors
from ssr.redis.subscription import subscribed

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
        # By the notice as it comes, so that one that nobody here waits for costs a look-up and no more.
        self._waiting: dict[bytes, set[asyncio.Event]] = {}

    @contextmanager
    def of(self, what: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at every notice `what` of the job while the block runs; the caller clears it."""
        event, notice = asyncio.Event(), _notice(what, job_id)
        self._waiting.setdefault(notice, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[notice].discard(event)
            if not self._waiting[notice]:
                del self._waiting[notice]

    def notify(self, what: str, job_id: str) -> None:
        self.heard(_notice(what, job_id))

    def heard(self, notice: bytes) -> None:
        """A notice came, as "<what> <job id>"."""
        for event in self._waiting.get(notice, ()):
            event.set()

    def notify_all(self) -> None:
        """Notices may have been lost: everybody looks."""
        for events in self._waiting.values():
            for event in events:
                event.set()


def _notice(what: str, job_id: str) -> bytes:
    return f"{what} {job_id}".encode()


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
            with redis_errors():
                async with subscribed(redis, NOTICES) as messages:
                    notices.notify_all()
                    async for batch in messages:
                        for notice in batch:
                            notices.heard(notice)
        except SsrError as error:
            _log.warning("notices: trying again: %s", error)
            notices.notify_all()
            await asyncio.sleep(_RECONNECT_S)
