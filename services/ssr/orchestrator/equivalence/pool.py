"""The worker processes, and whose question each of them takes next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from ssr.core.errors import Unavailable
from ssr.orchestrator.equivalence.fair_queue import FairQueue
from ssr.orchestrator.equivalence.limits import EquivalenceSettings
from ssr.orchestrator.equivalence.process import WORKER_COMMAND, WorkerProcess, WorkerReply

logger = logging.getLogger(__name__)

_ATTEMPTS = 2  # of a question that a worker died over; the second one with a fresh worker
_FIRST_PAUSE_S = 0.1  # behind a failed start; it doubles
_LONGEST_PAUSE_S = 10.0
#: The first worker is kept for questions of up to this level: of jobs that have used at most about one first try.
_KEPT_FOR = 1
_NICE = 5  # of questions that take long, or look it: they give way to the others and to whoever serves


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
    """A question on its way."""

    job: str
    question: dict[str, Any]
    answered: asyncio.Future[WorkerReply]
    asked_at: float
    seen: bool = False
    crashes: int = 0
    suspicion: int = 0


class WorkerPool:
    """Asks questions of a few worker processes; an async context manager that owns them.

    A question has `quick_s` of CPU first. One that needs more is put back among those that do, with `limit_s`: they
    run only where no first try waits, and never on the first worker. So questions that take long, however many, keep
    nobody waiting for more than a first try. Within each kind, jobs that have used little, with questions that do not
    look costly, go first and the others take turns; the first worker is kept for the former. Workers start when they
    are needed; a lost one is started again, with growing pauses while that fails.
    """

    def __init__(
        self, settings: EquivalenceSettings, records: PoolRecords, command: Sequence[str] = WORKER_COMMAND
    ) -> None:
        self._settings, self._records, self._command = settings, records, tuple(command)
        self._quick: FairQueue[_Asked] = FairQueue(settings.quick_s)
        self._patient: FairQueue[_Asked] = FairQueue(settings.quick_s)
        self._news = asyncio.Condition()
        self._tasks = asyncio.TaskGroup()
        self._owners: list[asyncio.Task[None]] = []
        self._idle: dict[bool, int] = {False: 0, True: 0}  # workers that run and wait; by whether they are patient
        self._unanswered: set[_Asked] = set()
        self._failing_since: float | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._open = True
        for place in range(self._settings.workers):
            name = f"equivalence-worker-{place}"
            self._owners.append(self._tasks.create_task(self._own(patient=place > 0), name=name))
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
        return len(self._quick) + len(self._patient)

    async def ask(self, job: str, question: dict[str, Any], *, suspicion: int = 0) -> WorkerReply:
        """The reply to a question of a job; one that looks costly goes `suspicion` levels behind others.

        Raises: Unavailable when no worker could be started for a while, or the pool is closed.
        """
        if not self._open:
            raise Unavailable("the equivalence checker is closed: use it inside its `async with`")
        loop = asyncio.get_running_loop()
        asked = _Asked(job, question, loop.create_future(), loop.time(), suspicion=suspicion)
        self._quick.put(job, asked, above=suspicion)
        async with self._news:
            self._news.notify_all()
        self._unanswered.add(asked)
        try:
            return await asked.answered
        finally:
            self._unanswered.discard(asked)

    async def _own(self, *, patient: bool) -> None:
        """Start a worker when there is a question, and keep asking."""
        worker: WorkerProcess | None = None
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                asked, is_patient = await self._next(patient=patient, running=worker is not None)
                if worker is None:
                    worker = await self._started(asked, is_patient=is_patient)
                    if worker is None:
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                        continue
                    pause_s = _FIRST_PAUSE_S
                if not await self._answered(worker, asked, is_patient=is_patient):
                    await worker.kill()
                    worker = None
        finally:
            if worker is not None:
                await worker.kill()

    async def _next(self, *, patient: bool, running: bool) -> tuple[_Asked, bool]:
        """The next question of a worker, and whether it is its second try; one that is not running yet lets the idle
        ones go first, so that no more are started than have work."""
        async with self._news:
            while True:
                found = self._taken(patient=patient, running=running)
                if found is None:
                    await self._wait(patient=patient, running=running)
                elif not found[0].answered.done():  # its caller has not left
                    return found

    def _taken(self, *, patient: bool, running: bool) -> tuple[_Asked, bool] | None:
        if running or not self._idle_for_first_try():
            asked = self._quick.take(None if patient else _KEPT_FOR)
            if asked is not None:
                return asked, False
        if patient and (running or not self._idle[True]):
            asked = self._patient.take()
            if asked is not None:
                return asked, True
        return None

    def _idle_for_first_try(self) -> bool:
        """Whether a worker waits that may take the next first try."""
        lowest = self._quick.lowest
        return self._idle[True] > 0 or (self._idle[False] > 0 and lowest is not None and lowest <= _KEPT_FOR)

    async def _wait(self, *, patient: bool, running: bool) -> None:
        self._idle[patient] += running
        try:
            await self._news.wait()
        finally:
            self._idle[patient] -= running

    async def _started(self, asked: _Asked, *, is_patient: bool) -> WorkerProcess | None:
        """A new worker; None when it does not start: then the question is somebody else's, or waits."""
        loop = asyncio.get_running_loop()
        try:
            worker = await WorkerProcess.start(self._command, limit_s=self._settings.start_limit_s)
        except Unavailable as error:
            self._records.restarted()
            logger.warning("%s", error)
            await self._put_back(asked, is_patient=is_patient)
            self._failing_since = self._failing_since if self._failing_since is not None else loop.time()
            if loop.time() - self._failing_since >= self._settings.start_limit_s:
                self._fail(self._unanswered, error)
            return None
        self._failing_since = None
        return worker

    async def _answered(self, worker: WorkerProcess, asked: _Asked, *, is_patient: bool) -> bool:
        """Ask; whether the worker is good for another question."""
        settings = self._settings
        if not asked.seen:
            asked.seen = True
            self._records.waited(asyncio.get_running_loop().time() - asked.asked_at)
        cpu_s = settings.limit_s if is_patient else min(settings.quick_s, settings.limit_s)
        try:
            nice = _NICE if is_patient or asked.suspicion > _KEPT_FOR else 0
            reply = await worker.ask(asked.question, cpu_s=cpu_s, memory_mib=settings.memory_mib, nice=nice)
        except Unavailable as error:
            await self._crashed(asked, error, is_patient=is_patient)
            return False
        (self._patient if is_patient else self._quick).served(asked.job, reply.cpu_s)
        if reply.killed in ("cpu", "time") and not is_patient and settings.limit_s > settings.quick_s:
            await self._put_back(asked, is_patient=True)
        else:
            self._done(asked, reply)
        return True

    async def _crashed(self, asked: _Asked, error: Unavailable, *, is_patient: bool) -> None:
        self._records.restarted()
        asked.crashes += 1
        logger.warning("restarting an equivalence worker: %s", error)
        if asked.crashes >= _ATTEMPTS:
            self._done(asked, WorkerReply(None, "crash"))
        else:
            await self._put_back(asked, is_patient=is_patient)

    async def _put_back(self, asked: _Asked, *, is_patient: bool) -> None:
        (self._patient if is_patient else self._quick).put(asked.job, asked, above=asked.suspicion)
        async with self._news:
            self._news.notify_all()

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
