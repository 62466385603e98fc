"""Hints that something happened to a job, from any replica: one subscription for all who wait here.

A wake-up can be lost (a reconnect); whoever waits looks for itself now and then.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from ssr.core.errors import SsrError
from ssr.core.retry import Backoff, FailuresInARow
from ssr.orchestrator.queue.keys import WAKEUPS
from ssr.runtime.background import supervised
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

_RECONNECTS = Backoff(first_s=0.4, max_s=2.0, patience_s=math.inf)


class Wakeable(Protocol):
    """Who is woken: an `asyncio.Event`, as a rule."""

    def set(self) -> None: ...


class Wakeups:
    """Wakes those who wait for news of a job. Use as `async with running_wakeups(redis) as wakeups`."""

    def __init__(self) -> None:
        # By the message as it comes, so that one that nobody here waits for costs a look-up and no more.
        self._waiting: dict[bytes, set[Wakeable]] = {}
        self._expected: dict[bytes, int] = {}

    @contextmanager
    def of(self, what: str, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at every wake-up `what` of the job while the block runs; the caller clears it."""
        event = asyncio.Event()
        with self.waking(what, job_id, event):
            yield event

    @contextmanager
    def waking(self, what: str, job_id: str, waiting: Wakeable) -> Iterator[None]:
        """`waiting` is set at every wake-up `what` of the job while the block runs."""
        wakeup = _message(what, job_id)
        self._waiting.setdefault(wakeup, set()).add(waiting)
        try:
            yield
        finally:
            self._waiting[wakeup].discard(waiting)
            if not self._waiting[wakeup]:
                del self._waiting[wakeup]

    def expect(self, what: str, job_id: str) -> None:
        """This process is about to cause a wake-up that is news to nobody here: one such that is heard wakes nobody."""
        wakeup = _message(what, job_id)
        self._expected[wakeup] = self._expected.get(wakeup, 0) + 1

    def notify(self, what: str, job_id: str) -> None:
        """Wake them now, and for all that is expected."""
        wakeup = _message(what, job_id)
        self._expected.pop(wakeup, None)
        self._wake(wakeup)

    def heard(self, wakeup: bytes) -> None:
        """A wake-up came, as "<what> <job id>"."""
        if (expected := self._expected.pop(wakeup, 0)) > 1:
            self._expected[wakeup] = expected - 1
        if not expected:
            self._wake(wakeup)

    def _wake(self, wakeup: bytes) -> None:
        for waiting in self._waiting.get(wakeup, ()):
            waiting.set()

    def notify_all(self) -> None:
        """Wake-ups may have been lost: everybody looks."""
        self._expected.clear()
        for events in self._waiting.values():
            for event in events:
                event.set()


def _message(what: str, job_id: str) -> bytes:
    return f"{what} {job_id}".encode()


@asynccontextmanager
async def running_wakeups(redis: RedisClient) -> AsyncIterator[Wakeups]:
    """Wake-ups, listening until the block ends."""
    wakeups = Wakeups()
    async with supervised(_listen(redis, wakeups), "wakeups"):
        yield wakeups


async def _listen(redis: RedisClient, wakeups: Wakeups) -> None:
    failures = FailuresInARow(_RECONNECTS)
    while True:
        try:
            with redis_errors():
                async with subscribed(redis, WAKEUPS) as messages:
                    failures.succeeded()
                    wakeups.notify_all()
                    async for batch in messages:
                        for wakeup in batch:
                            wakeups.heard(wakeup)
        except SsrError as error:
            _log.warning("wakeups: trying again: %s", error)
            wakeups.notify_all()
            await asyncio.sleep(failures.failed(time.monotonic()) or 0.0)
