"""One replica's share of the job queue: claim, keep alive, take over, acknowledge.

A job's queue entry stays pending with its consumer until the job has ended. A consumer that is silent for the lease
time loses its entries to whoever asks next (XAUTOCLAIM); heartbeats keep the others' hands off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import ResponseError

from ssr.core.errors import Unavailable
from ssr.orchestrator.keys import GROUP, JOBS, NOTICES
from ssr.orchestrator.notices import QUEUE, RELEASED, Notices
from ssr.orchestrator.patience import briefly, patiently
from ssr.orchestrator.redis_client import BLOCK_MS, RedisClient, redis_errors
from ssr.orchestrator.runner import Runner

_log = logging.getLogger(__name__)

#: Longer than any lease.
_LONG_AGO_MS = 24 * 3600 * 1000

#: A queue entry: its id in the stream, and the job.
_Entry = tuple[bytes, str]


class QueueWorker:
    """Takes jobs from the queue and has a Runner run them, at most `max_jobs` at a time."""

    def __init__(
        self, redis: RedisClient, runner: Runner, notices: Notices, *, replica: str, max_jobs: int, lease_s: float
    ) -> None:
        self._redis, self._runner, self._notices, self._replica = redis, runner, notices, replica
        self._slots = asyncio.Semaphore(max_jobs)
        self._lease_ms = round(lease_s * 1000)
        self._held: set[bytes] = set()

    async def work(self) -> None:
        """Work until cancelled; then the jobs in hand are handed back, for others to go on with at once."""
        await patiently("queue", self._ensure_group)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_alive(), name="heartbeat")
            group.create_task(self._take_over(group), name="take-over")
            while True:
                if entry := await self._when_free("queue", self._next_entry):
                    group.create_task(self._run(entry), name=entry[1])

    async def _ensure_group(self) -> None:
        """The consumer group exists, from the queue's beginning."""
        with redis_errors():
            groups = await self._redis.xinfo_groups(JOBS) if await self._redis.exists(JOBS) else []
            if GROUP.encode() not in [group["name"] for group in groups]:
                await self._redis.xgroup_create(JOBS, GROUP, id="0", mkstream=True)

    async def _next_entry(self) -> _Entry | None:
        """A job nobody has taken yet; None when none came in a while."""
        with redis_errors():
            try:
                found = await self._redis.xreadgroup(GROUP, self._replica, {JOBS: ">"}, count=1, block=BLOCK_MS)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                found = None  # a Redis that lost its data
                await self._ensure_group()
        return _entry(*found[0][1][0]) if found else None

    async def _take_over(self, group: asyncio.TaskGroup) -> None:
        """Take the jobs that were handed back, and now and then those of replicas that are silent."""
        with self._notices.of(RELEASED, QUEUE) as released:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(released.wait(), self._lease_ms / 2000)
                released.clear()
                while entry := await self._when_free("take-over", self._abandoned_entry):
                    _log.info("taking over job %s", entry[1])
                    group.create_task(self._run(entry), name=entry[1])

    async def _when_free(self, what: str, look: Callable[[], Awaitable[_Entry | None]]) -> _Entry | None:
        """What `look` finds once a slot is free, with the slot taken for it."""
        await self._slots.acquire()
        entry = await patiently(what, look)
        if entry is None:
            self._slots.release()
        return entry

    async def _abandoned_entry(self) -> _Entry | None:
        with redis_errors():
            _, entries, _ = await self._redis.xautoclaim(JOBS, GROUP, self._replica, self._lease_ms, count=1)
        return _entry(*entries[0]) if entries else None

    async def _keep_alive(self) -> None:
        """Tell the queue that the jobs in hand are at work."""
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            if self._held:
                await patiently("heartbeat", self._beat)

    async def _beat(self) -> None:
        held = list(self._held)
        with redis_errors():
            await self._redis.xclaim(JOBS, GROUP, self._replica, min_idle_time=0, message_ids=held, justid=True)

    async def _run(self, entry: _Entry) -> None:
        entry_id, job_id = entry
        self._held.add(entry_id)
        try:
            if await self._runner.run(job_id):  # else the entry is its new owner's to acknowledge
                await patiently(job_id, lambda: self._acknowledge(entry_id))
        except asyncio.CancelledError:
            await briefly(self._hand_back(entry_id))
            raise
        except Unavailable as error:
            _log.warning("job %s stays in the queue: %s", job_id, error)
        except Exception:
            _log.exception("job %s stays in the queue", job_id)
        finally:
            self._held.discard(entry_id)
            self._slots.release()

    async def _hand_back(self, entry_id: bytes) -> None:
        """Make the entry look as if its lease were over, whatever that is elsewhere, and tell the others."""
        with redis_errors():
            await self._redis.xclaim(JOBS, GROUP, self._replica, 0, [entry_id], idle=_LONG_AGO_MS, justid=True)
            await self._redis.publish(NOTICES, f"{RELEASED} {QUEUE}")

    async def _acknowledge(self, entry_id: bytes) -> None:
        with redis_errors():
            await self._redis.xack(JOBS, GROUP, entry_id)
            await self._redis.xdel(JOBS, entry_id)


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> _Entry:
    return entry_id, fields[b"job"].decode()
