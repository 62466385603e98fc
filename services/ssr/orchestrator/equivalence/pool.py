"""The worker processes, and whose question each of them takes next."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from ssr.core.errors import Unavailable
from ssr.core.retry import Backoff, FailuresInARow
from ssr.orchestrator.equivalence.fair_queue import FairQueue
from ssr.orchestrator.equivalence.process import STOPPED, WORKER_COMMAND, WorkerProcess, WorkerReply
from ssr.orchestrator.equivalence.settings import EquivalenceSettings

logger = logging.getLogger(__name__)

_ATTEMPTS = 2  # of a question that a worker died over; the second one with a fresh worker
_STARTS = Backoff(first_s=0.1, max_s=10.0, patience_s=math.inf)
#: The first worker is kept for questions of up to this level: of jobs that have wasted at most about one first try.
_KEPT_FOR = 1
#: A question that runs is stopped for one that waits so many levels below it, and so often at most.
_LEVELS_APART = 2
_MOST_STOPS = 2
#: How much a question gives way to others and to whoever serves, by its level over what the first worker takes.
_NICE_A_LEVEL, _MOST_NICE = 6, 19


class Asker(Protocol):
    """What whoever asks knows of a question, and learns."""

    def levels(self) -> int:
        """How many levels the question goes behind others, by what is known now."""

    def ended(self, reply: WorkerReply, *, last: bool) -> None:
        """A limit ended a try, the last one or not."""


class PoolRecords(Protocol):
    """Who counts what becomes of questions."""

    def waited(self, seconds: float) -> None:
        """A question has come to a worker for the first time, so long after it was asked."""

    def killed(self, limit: str) -> None:
        """A question's last try was ended by a limit: "cpu", "memory", "time" or "crash"."""

    def restarted(self) -> None:
        """A worker was lost, or did not start."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A question on its way; `tries` is how many have run into a limit."""

    job: str
    question: dict[str, Any]
    answered: asyncio.Future[WorkerReply]
    asked_at: float
    asker: Asker
    level: int = 0
    seen: bool = False
    tries: int = 0
    stops: int = 0
    crashes: int = 0


class WorkerPool:
    """Asks questions of a few worker processes; an async context manager that owns them.

    A question has `quick_s` of CPU first; one that needs more is tried once more, with `limit_s`, a level above. Levels
    come from the queue: jobs whose questions ran into limits go behind those whose questions were answered, and jobs of
    one level take turns. The first worker takes questions of low levels alone; the others take the lowest there is, and
    drop what they are at for one that is well below it. So questions that take long, however many, keep those of other
    jobs waiting for no more than first tries. Workers start when they are needed; a lost one is started again, with
    growing pauses while that fails.
    """

    def __init__(
        self, settings: EquivalenceSettings, records: PoolRecords, command: Sequence[str] = WORKER_COMMAND
    ) -> None:
        self._settings, self._records, self._command = settings, records, tuple(command)
        self._queue: FairQueue[_Asked] = FairQueue(settings.quick_s)
        self._news = asyncio.Condition()
        self._tasks = asyncio.TaskGroup()
        self._owners: list[asyncio.Task[None]] = []
        self._idle: dict[bool, int] = {False: 0, True: 0}  # workers that run and wait; by whether they are kept
        self._running: dict[_Asked, WorkerProcess] = {}  # on workers that are not kept
        self._unanswered: set[_Asked] = set()
        self._failing_since: float | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._open = True
        for place in range(self._settings.workers):
            name = f"equivalence-worker-{place}"
            self._owners.append(self._tasks.create_task(self._own(kept=place == 0), name=name))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._open = False
        for owner in self._owners:
            owner.cancel()
        self._fail(self._unanswered, Unavailable("the equivalence checker was closed"))
        await self._tasks.__aexit__(None, None, None)

    @property
    def waiting(self) -> int:
        """Questions that no worker has."""
        return len(self._queue)

    async def ask(self, job: str, question: dict[str, Any], asker: Asker) -> WorkerReply:
        """The reply to a question of a job.

        Raises: Unavailable when no worker could be started for a while, or the pool is closed.
        """
        if not self._open:
            raise Unavailable("the equivalence checker is closed: use it inside its `async with`")
        loop = asyncio.get_running_loop()
        asked = _Asked(job, question, loop.create_future(), loop.time(), asker)
        self._unanswered.add(asked)
        try:
            await self._put(asked)
            return await asked.answered
        finally:
            self._unanswered.discard(asked)

    async def _put(self, asked: _Asked) -> None:
        asked.level = self._queue.put(asked.job, asked, above=asked.asker.levels() + asked.tries)
        if not self._idle_for(asked.level):
            self._make_room(asked.level)
        async with self._news:
            self._news.notify_all()

    def _make_room(self, level: int) -> None:
        """Stop the least deserving question, for one of this level."""
        stoppable = [asked for asked in self._running if asked.stops < _MOST_STOPS]
        last = max(stoppable, key=lambda asked: asked.level, default=None)
        if last is not None and last.level >= level + _LEVELS_APART:
            last.stops += 1
            self._running.pop(last).stop()

    async def _own(self, *, kept: bool) -> None:
        """Start a worker when there is a question, and keep asking."""
        worker: WorkerProcess | None = None
        failures = FailuresInARow(_STARTS)
        try:
            while True:
                asked = await self._next(kept=kept, running=worker is not None)
                if worker is None:
                    worker = await self._started(asked)
                    if worker is None:
                        await asyncio.sleep(failures.failed(asyncio.get_running_loop().time()) or 0.0)
                        continue
                    failures.succeeded()
                if not kept:
                    self._running[asked] = worker
                try:
                    good = await self._answered(worker, asked)
                finally:
                    self._running.pop(asked, None)
                if not good:
                    await worker.kill()
                    worker = None
        finally:
            if worker is not None:
                await worker.kill()

    async def _next(self, *, kept: bool, running: bool) -> _Asked:
        """The next question of a worker; one that is not running yet lets the idle ones go first, so that no more are
        started than have work."""
        async with self._news:
            while True:
                found = self._taken(kept=kept, running=running)
                if found is None:
                    await self._wait(kept=kept, running=running)
                elif not found.answered.done():  # its caller has not left
                    return found

    def _taken(self, *, kept: bool, running: bool) -> _Asked | None:
        while (lowest := self._queue.lowest) is not None and (running or not self._idle_for(lowest)):
            asked = self._queue.take(_KEPT_FOR if kept else None)
            if asked is None:
                break
            above = asked.asker.levels() + asked.tries
            if self._queue.level(asked.job, above=above) <= asked.level:
                return asked
            asked.level = self._queue.put(asked.job, asked, above=above)  # more is known of it, or of its job, now
        return None

    def _idle_for(self, level: int) -> bool:
        """Whether a worker waits that may take a question of this level."""
        return self._idle[False] > 0 or (self._idle[True] > 0 and level <= _KEPT_FOR)

    async def _wait(self, *, kept: bool, running: bool) -> None:
        self._idle[kept] += running
        try:
            await self._news.wait()
        finally:
            self._idle[kept] -= running

    async def _started(self, asked: _Asked) -> WorkerProcess | None:
        """A new worker; None when it does not start: then the question is somebody else's, or waits."""
        loop = asyncio.get_running_loop()
        try:
            worker = await WorkerProcess.start(self._command, limit_s=self._settings.start_limit_s)
        except Unavailable as error:
            self._records.restarted()
            logger.warning("%s", error)
            await self._put(asked)
            self._failing_since = self._failing_since if self._failing_since is not None else loop.time()
            if loop.time() - self._failing_since >= self._settings.start_limit_s:
                self._fail(self._unanswered, error)
            return None
        self._failing_since = None
        return worker

    async def _answered(self, worker: WorkerProcess, asked: _Asked) -> bool:
        """Ask; whether the worker is good for another question."""
        settings = self._settings
        if not asked.seen:
            asked.seen = True
            self._records.waited(asyncio.get_running_loop().time() - asked.asked_at)
        cpu_s = settings.limit_s if asked.tries else min(settings.quick_s, settings.limit_s)
        nice = min(_MOST_NICE, _NICE_A_LEVEL * max(0, asked.level - _KEPT_FOR))
        try:
            reply = await worker.ask(asked.question, cpu_s=cpu_s, memory_mib=settings.memory_mib, nice=nice)
        except Unavailable as error:
            await self._crashed(asked, error)
            return False
        ended_by_limit = bool(reply.killed) and reply.killed != STOPPED
        self._queue.served(asked.job, reply.cpu_s, in_vain=ended_by_limit)
        again = reply.killed in ("cpu", "time") and not asked.tries and settings.limit_s > settings.quick_s
        if ended_by_limit:
            asked.asker.ended(reply, last=not again)
        if reply.killed == STOPPED:
            await self._put(asked)
        elif again:
            asked.tries += 1
            await self._put(asked)
        else:
            self._done(asked, reply)
        return True

    async def _crashed(self, asked: _Asked, error: Unavailable) -> None:
        self._records.restarted()
        asked.crashes += 1
        logger.warning("restarting an equivalence worker: %s", error)
        if asked.crashes >= _ATTEMPTS:
            self._done(asked, WorkerReply(None, "crash"))
        else:
            await self._put(asked)

    def _done(self, asked: _Asked, reply: WorkerReply) -> None:
        if reply.killed:
            self._records.killed(reply.killed)
        if not asked.answered.done():
            asked.answered.set_result(reply)

    def _fail(self, unanswered: Iterable[_Asked], error: Unavailable) -> None:
        """Answer everybody who waits that there is no worker."""
        for asked in unanswered:
            if not asked.answered.done():
                asked.answered.set_exception(Unavailable(str(error)))
