"""One leader among the replicas: whoever holds the lock, for as long as it can renew it.

    candidate --hold: True--> leader: work() runs --hold: False, or renew_s without a True--> candidate
                                 | cancelled, work ended or crashed: release

A term lasts `renew_s` seconds from when the call that took or renewed the lock was *made*, and the lock expires
`lease_s` after that call was done at the earliest. So work() has `lease_s - renew_s` seconds to end, once cancelled,
before another replica can lead. A process that stands still for longer than that may do one more thing when it wakes
up: what work() does must bear being done by two for a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from ssr.autoscaler.reports import TAG
from ssr.autoscaler.throttled_log import ThrottledLog
from ssr.core.errors import Retryable, SsrError, TimedOut
from ssr.core.retry import LONGEST, Backoff
from ssr.runtime.redis.client import RedisClient, Script

_log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

#: How long giving the lock back may take while this replica ends, in seconds.
_BRIEFLY_S = 2.0


class Lock(Protocol):
    """A lock that expires by itself `lease_s` after it was last taken or renewed. Raises: Retryable, Permanent."""

    async def hold(self) -> bool:
        """Take the lock, or renew it; whether it is ours now."""
        ...

    async def release(self) -> None:
        """Give it back, if it is ours, for another replica to take at once."""
        ...


async def lead(
    lock: Lock, work: Work, *, renew_s: float, retry_s: float, on_change: Callable[[bool], None] = lambda leads: None
) -> None:
    """Run `work()` whenever, and only while, this replica holds the lock; end it by cancelling it.

    The lock is tried every `retry_s` seconds, whatever it raises. `on_change` is called when leading starts or ends. It
    returns when `work()` does. Raises: what `work()` raises, in an exception group. However it ends, the lock is given
    back.
    """
    election = _Election(lock, renew_s, retry_s)
    try:
        while True:
            until = await election.won()
            on_change(True)
            try:
                if await election.serve(until, work):
                    return
            finally:
                on_change(False)
    finally:
        await _give_back(lock)


@asynccontextmanager
async def leading(
    lock: Lock, work: Work, *, renew_s: float, retry_s: float, on_change: Callable[[bool], None]
) -> AsyncIterator[None]:
    """`lead`, for as long as the block runs."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lead(lock, work, renew_s=renew_s, retry_s=retry_s, on_change=on_change), name="lead")
        try:
            yield
        finally:
            task.cancel()


class _Election:
    """One replica's part in it. Times are the event loop's."""

    def __init__(self, lock: Lock, renew_s: float, retry_s: float) -> None:
        self._lock, self._renew_s = lock, renew_s
        # By chance, and at most retry_s, so that candidates do not go in step and none is later than promised.
        self._pauses = Backoff(retry_s / LONGEST, retry_s / LONGEST)
        self._now = asyncio.get_running_loop().time
        self._pause_s = 0.0
        self._lost = False
        self._throttled_log = ThrottledLog(_log, "who leads is not known")

    async def won(self) -> float:
        """Wait until the lock is ours; when the term ends if it is not renewed."""
        while True:
            await asyncio.sleep(self._pause_s)
            until = self._now() + self._renew_s
            if await self._hold() and self._now() < until:
                _log.info("this replica leads")
                return until

    async def serve(self, until: float, work: Work) -> bool:
        """Work while the lock can be renewed; whether the work came to its end."""
        ended = self._lost = False
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until) as term, asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep(term), name="lease")
                # A task of its own is cancelled once, however many reasons there are for it.
                working = group.create_task(work(), name="leader")
                await asyncio.wait([working])
                ended = True
                keeping.cancel()
        if not ended:
            why = "another one does" if self._lost else f"it could not renew the lock for {self._renew_s:g} s"
            _log.warning("this replica leads no more: %s", why)
        return ended

    async def _keep(self, term: asyncio.Timeout) -> None:
        """Renew the lock and with it the term; end the term where the lock is lost."""
        while not term.expired():
            await asyncio.sleep(self._pause_s)
            asked_at = self._now()
            held = await self._hold()
            if term.expired():
                return
            if held:
                term.reschedule(asked_at + self._renew_s)
            elif held is False:
                self._lost = True
                term.reschedule(asked_at)
                return

    async def _hold(self) -> bool | None:
        """Whether the lock is ours; None where that is not known. Sets the pause before the next time."""
        self._pause_s = self._pauses.pause_s(0, 0.0)
        try:
            async with asyncio.timeout(self._renew_s):
                held = await self._lock.hold()
        except TimeoutError:
            self._throttled_log.report(TimedOut(f"the lock did not answer within {self._renew_s:g} s"))
            return None
        except SsrError as error:
            if isinstance(error, Retryable):
                # No longer than half a term, however long it is asked to wait: there must be time for another attempt.
                self._pause_s = min(self._pauses.pause_s(0, error.delay_s), self._renew_s / 2)
            self._throttled_log.report(error)
            return None
        if self._throttled_log.over():
            _log.info("the lock answers again")
        return held


async def _give_back(lock: Lock) -> None:
    """Try once and not for long, even when cancelled meanwhile; a lock that is not given back expires."""
    releasing = asyncio.create_task(_release(lock), name="release the lock")
    try:
        await asyncio.shield(releasing)
    finally:
        if not releasing.done():
            await asyncio.wait([releasing])


async def _release(lock: Lock) -> None:
    try:
        async with asyncio.timeout(_BRIEFLY_S):
            await lock.release()
    except (TimeoutError, SsrError) as error:
        _log.warning("the lock is not given back and will expire: %s", error or "no answer")


class RedisLock:
    """Implements `Lock`. It is lost when Redis loses it (a failover): two may then decide for a moment, the same."""

    def __init__(self, redis: RedisClient, replica: str, *, lease_s: float) -> None:
        self._replica, self._lease_ms = replica, round(lease_s * 1000)
        self._hold = Script(redis, "autoscaler/scripts/hold")
        self._release = Script(redis, "autoscaler/scripts/release")

    async def hold(self) -> bool:
        return bool(await self._hold([f"{TAG}leader"], [self._replica, self._lease_ms]))

    async def release(self) -> None:
        await self._release([f"{TAG}leader"], [self._replica])
