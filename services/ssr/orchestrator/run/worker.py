"""One replica's share of the job queue: take jobs while there is room, keep them, take over, hand back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

from ssr.core.errors import Unavailable
from ssr.core.job import Priority
from ssr.orchestrator.queue.job_queue import JobQueue, QueuedJob
from ssr.orchestrator.queue.wakeups import QUEUE, QUEUED, RELEASED, Wakeups
from ssr.orchestrator.run.capacity import Capacity
from ssr.orchestrator.run.runner import Fate, Runner
from ssr.runtime.redis.patience import briefly, patiently, set_within

_log = logging.getLogger(__name__)

#: How often a worker looks for jobs whose wake-up was lost.
_LOOK_S = 1.0
#: How much longer than its drain a job may take to be handed back, in seconds.
_LATE_S = 1.0

_Find = Callable[[Sequence[Priority]], Awaitable[QueuedJob | None]]


async def _not_drained(jobs: int) -> bool:
    return False


class QueueWorker:
    """Takes jobs from the queue and has a Runner run them, as many as there is room for.

    `attend` reports this replica with the jobs in hand, and says whether it is drained.
    """

    def __init__(
        self,
        queue: JobQueue,
        runner: Runner,
        wakeups: Wakeups,
        capacity: Capacity,
        *,
        lease_s: float,
        attend: Callable[[int], Awaitable[bool]] = _not_drained,
    ) -> None:
        self._queue, self._runner, self._wakeups, self._capacity = queue, runner, wakeups, capacity
        self._lease_s, self._attend = lease_s, attend
        self._drained = False
        self._held: set[QueuedJob] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()

    @property
    def held(self) -> Collection[QueuedJob]:
        """The jobs in hand."""
        return self._held

    async def work(self) -> None:
        """Work until `leave` is called, or until cancelled; either way the jobs in hand are handed back."""
        every_s = self._lease_s / 2
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep_alive(), name="heartbeat")
            looking = [
                group.create_task(self._report(), name="replica"),
                group.create_task(self._look(group, QUEUED, _LOOK_S, self._queue.take), name="queue"),
                group.create_task(self._look(group, RELEASED, every_s, self._abandoned), name="take-over"),
            ]
            await self._runner.leaving.wait()
            for task in looking:
                task.cancel()
            await asyncio.wait(looking)
            await self._until_handed_back()
            keeping.cancel()
        await briefly(self._queue.leave())
        self._left.set()

    async def _until_handed_back(self) -> None:
        """Wait for the jobs to reach their step boundaries; those that wait for something else are cut off."""
        if self._jobs:
            _, late = await asyncio.wait(self._jobs, timeout=self._runner.drain_s + _LATE_S)
            for job in late:
                job.cancel()
            if late:
                await asyncio.wait(late)

    async def leave(self) -> None:
        """Take no more jobs, hand those in hand back at their next step boundary, and wait until that is done."""
        self._runner.leaving.set()
        self._runner.handing_back.set()
        await self._left.wait()

    async def _look(self, group: asyncio.TaskGroup, wakeup: str, every_s: float, find: _Find) -> None:
        """Start what is found at every wake-up and every so many seconds, as long as there is room."""
        with self._wakeups.of(wakeup, QUEUE) as news:
            while True:
                news.clear()
                while (turn := self._capacity.turn()) and not self._drained:
                    entry = await patiently("queue", partial(find, turn))
                    if entry is None:
                        break
                    self._start(group, entry)
                await set_within(news, every_s)

    async def _report(self) -> None:
        """Report this replica and its jobs, and learn whether an operator drains it, for ever."""
        while True:
            drained = await patiently("replica", lambda: self._attend(len(self._held)))
            if drained is not self._drained:
                self._drained = drained
                self._heed()
            await asyncio.sleep(_LOOK_S)

    def _heed(self) -> None:
        if self._drained:
            _log.warning("drained: this replica hands its %d jobs back and takes no more", len(self._held))
            self._runner.handing_back.set()
            return
        _log.info("drained no more: this replica takes jobs")
        if not self._runner.leaving.is_set():
            self._runner.handing_back.clear()
        for wakeup in (QUEUED, RELEASED):
            self._wakeups.notify(wakeup, QUEUE)

    async def _abandoned(self, priorities: Sequence[Priority]) -> QueuedJob | None:
        """A job that was handed back, or whose replica is silent; not one that is in hand here."""
        entry = await self._queue.take_over(priorities, round(self._lease_s * 1000))
        return None if entry in self._held else entry

    def _start(self, group: asyncio.TaskGroup, entry: QueuedJob) -> None:
        self._capacity.enter(entry.priority, entry.paths)
        self._held.add(entry)
        job = group.create_task(self._run(entry), name=entry.job_id)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _run(self, entry: QueuedJob) -> None:
        try:
            fate = await self._runner.run(entry)
            if fate is Fate.ENDED:
                await patiently(entry.job_id, lambda: self._queue.done(entry))
            elif fate is Fate.LEFT:
                await briefly(self._queue.hand_back(entry))
        except asyncio.CancelledError:
            await briefly(self._queue.hand_back(entry))
            raise
        except Unavailable as error:
            _log.warning("job %s stays in the queue: %s", entry.job_id, error)
        except Exception:
            _log.exception("job %s stays in the queue", entry.job_id)
        finally:
            self._held.discard(entry)
            self._make_room(entry)

    def _make_room(self, entry: QueuedJob) -> None:
        """A job is not in hand any more; those that were left for want of room are looked for again."""
        short_of_room = len(self._capacity.turn()) < len(Priority)
        self._capacity.leave(entry.priority, entry.paths)
        if short_of_room:
            for wakeup in (QUEUED, RELEASED):
                self._wakeups.notify(wakeup, QUEUE)

    async def _keep_alive(self) -> None:
        """Report to the queue that the jobs in hand are at work."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await patiently("heartbeat", lambda: self._queue.keep(self._held))
