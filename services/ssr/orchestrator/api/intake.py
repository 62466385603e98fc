"""How a request becomes a job in the queue, once for each idempotency key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from ssr.core.allowance import Allowance
from ssr.core.errors import SsrError, single_error
from ssr.core.job import JobRequest, JobStatus
from ssr.core.limits import check_tenant
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.queue.job_queue import Arriving, JobQueue
from ssr.orchestrator.queue.job_store import LATE, LEFT, Clock, JobStore, Made, Waiter
from ssr.orchestrator.queue.rates import Rates
from ssr.orchestrator.queue.stored_job import fingerprint_of
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.rpc.job_wire import PRIORITY
from ssr.runtime.telemetry.tracing import current_span
from ssr.v1 import reasoning_pb2

#: Jobs of a batch that are checked, or made, at a time.
_AT_A_TIME = 16
Item = TypeVar("Item")
NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Named:
    """Which job a request is: `fingerprint` is that of the request as it came."""

    key: str
    fingerprint: str
    tenant: str


class Intake:
    """Takes requests in, and jobs that nobody has claimed yet out again."""

    def __init__(
        self,
        admission: Admission,
        store: JobStore,
        queue: JobQueue,
        workload: WorkloadEstimate,
        watch: JobRecords,
        now: Clock,
        *,
        retention_s: int,
        rates: Rates,
    ) -> None:
        self._admission, self._store, self._queue, self._now = admission, store, queue, now
        self._workload, self._watch = workload, watch
        self._retention_ms, self._rates = retention_s * 1000, rates

    async def submit(
        self,
        request: reasoning_pb2.SolveRequest,
        tenant: str,
        waiter: Waiter | None = None,
    ) -> str:
        """Queue a request, or join the job it names; answers with the job's id.

        With a waiter the job is that waiter's and others' who wait for it: it ends when all of them have left it.
        Without one it is submitted, and ends by itself. A job whose waiters have all left is made anew.

        The job is in Redis before it is in the queue, and is forgotten when it does not get there: whoever submits
        again after a failure finds it, or makes it anew, and never twice. A caller that goes away meanwhile leaves
        nothing behind, unless it submitted under a key that finds the job again.

        Raises: InvalidRequest, Conflict, Overloaded; Unavailable while a part that must be asked is away.
        """
        try:
            check_tenant(tenant)
            named, asked = _named(request, await self._admission.check(request), tenant, NO_LABELS)
            making = asyncio.ensure_future(self._make(named, asked, waiter))
            try:
                return await asyncio.shield(making)
            except asyncio.CancelledError:
                await asyncio.shield(self._undo(making, request.idempotency_key, waiter))
                raise
        except SsrError as error:
            self._watch.jobs.refused(error)
            raise

    async def allowances(self, tenant: str) -> tuple[Allowance, ...]:
        """What a tenant may still ask for, where that has limits."""
        return await self._rates.look(tenant, self._now())

    async def _make(
        self,
        named: _Named,
        asked: JobRequest,
        waiter: Waiter | None,
    ) -> str:
        """The job in Redis and in the queue: the newest attempt of its key."""
        attempt = 0
        while True:
            job_id = job_id_of(named.tenant, named.key, attempt)
            made = await self._make_attempt(job_id, named, asked, waiter)
            if not made.left:
                break
            attempt = max(attempt + 1, made.latest)
        if attempt:
            await self._store.redirect(job_id_of(named.tenant, named.key, 0), attempt)
        return job_id

    async def _make_attempt(
        self,
        job_id: str,
        named: _Named,
        asked: JobRequest,
        waiter: Waiter | None,
    ) -> Made:
        now, paths = self._now(), asked.options.paths
        current_span().set(job=job_id)
        await self._queue.check_room(job_id, named.tenant)
        if self._rates.limit(named.tenant) and not await self._store.known(job_id):
            await self._rates.take(named.tenant, paths, now)
        made = await self._store.create(
            job_id, asked, named.tenant, named.fingerprint, now, current_span().traceparent, waiter=waiter
        )
        if not made.left and (made.new or not await self._store.final(job_id)):
            oldest = now - 2 * self._retention_ms
            await self._queue.enqueue([_arriving(job_id, asked)], named.tenant, now_ms=now, oldest_ms=oldest)
            await self._store.keep(job_id)
        if made.new:
            self._count(asked)
        return made

    def _count(self, asked: JobRequest) -> None:
        self._workload.submitted(asked.options.paths)
        self._watch.jobs.submitted(asked.priority)

    async def submit_all(
        self,
        requests: Sequence[tuple[reasoning_pb2.SolveRequest, JobRequest]],
        tenant: str,
        own_labels: Mapping[str, str],
    ) -> list[str]:
        """Queue requests that have keys and were checked, all of them or none; the jobs' ids. Those that are there
        already are joined, and take nothing of a rate.

        Raises: Conflict, Overloaded; Unavailable while a part that must be asked is away.
        """
        named = [_named(request, asked, tenant, own_labels) for request, asked in requests]
        jobs = {job_id_of(tenant, name.key): (name, asked) for name, asked in named}
        try:
            known = dict(zip(jobs, await self._store.statuses(list(jobs)), strict=True))
            new = [asked for job_id, (_, asked) in jobs.items() if known[job_id] is None]
            await self._queue.check_room("", tenant, len(new))
            async with self._taken(new, tenant):
                await self._make_all(jobs, known, tenant)
        except SsrError as error:
            self._watch.jobs.refused(error)
            raise
        for asked in new:
            self._count(asked)
        return list(jobs)

    @asynccontextmanager
    async def _taken(self, new: Sequence[JobRequest], tenant: str) -> AsyncIterator[None]:
        """Take what jobs take of a rate, and give it back where they do not come to be."""
        if not new or not self._rates.limit(tenant):
            yield
            return
        paths, now = sum(asked.options.paths for asked in new), self._now()
        await self._rates.take(tenant, paths, now, jobs=len(new))
        try:
            yield
        except BaseException:
            with suppress(SsrError):
                await asyncio.shield(self._rates.give_back(tenant, paths, now, jobs=len(new)))
            raise

    async def _make_all(
        self, jobs: Mapping[str, tuple[_Named, JobRequest]], known: Mapping[str, JobStatus | None], tenant: str
    ) -> None:
        """The jobs in Redis, and then all at once in the queue; those that do not get there are forgotten in time."""
        now, traceparent = self._now(), current_span().traceparent

        async def create(job_id: str) -> None:
            name, asked = jobs[job_id]
            await self._store.create(job_id, asked, tenant, name.fingerprint, now, traceparent)

        await each(list(jobs), create)
        unfinished = [job_id for job_id in jobs if (status := known[job_id]) is None or not status.final]
        arriving = [_arriving(job_id, jobs[job_id][1]) for job_id in unfinished]
        if arriving:
            oldest = now - 2 * self._retention_ms
            await self._queue.enqueue(arriving, tenant, now_ms=now, oldest_ms=oldest)
        await each(unfinished, self._store.keep)

    async def _undo(self, making: asyncio.Future[str], key: str, waiter: Waiter | None) -> None:
        """The caller has gone before it knew of its job."""
        with suppress(SsrError):
            job_id = await making
            if waiter is not None:
                await self.leave(job_id, waiter.name)
            elif not key:
                await self.cancel(job_id)

    async def leave(self, job_id: str, waiter: str) -> None:
        """A caller has gone; the job is cancelled if it was for nobody else. Raises: NotFound."""
        if await self._store.leave(job_id, waiter, LEFT):
            await self._end_queued(job_id, JobStatus.CANCELLED)

    async def late(self, job_id: str, waiter: str, reason: str) -> None:
        """A caller's time is over; the job ends with what it has if it was for nobody else. Raises: NotFound."""
        if await self._store.leave(job_id, waiter, LATE + reason):
            await self._end_queued(job_id, JobStatus.PARTIAL, f"{reason} in the queue")

    async def cancel(self, job_id: str) -> None:
        """End a job: here and now if nobody has claimed it, else its owner does. Raises: NotFound."""
        await self._store.cancel(job_id)
        await self._end_queued(job_id, JobStatus.CANCELLED)

    async def _end_queued(self, job_id: str, status: JobStatus, reason: str = "") -> None:
        ended = await self._store.end_queued(job_id, status, reason)
        if ended is not None:
            age_s = 0.0 if ended.created is None else self._now() / 1000 - ended.created.timestamp()
            self._watch.jobs.ended(status, ended.options.mode, age_s)
            await self._queue.drop(job_id)


def _named(
    request: reasoning_pb2.SolveRequest, asked: JobRequest, tenant: str, own_labels: Mapping[str, str]
) -> tuple[_Named, JobRequest]:
    request.priority = PRIORITY.number(asked.priority)  # said or not, it is the same request
    asked = replace(asked, labels=tuple(sorted({**dict(asked.labels), **own_labels}.items())))
    return _Named(request.idempotency_key, fingerprint_of(request), tenant), asked


def _arriving(job_id: str, asked: JobRequest) -> Arriving:
    return Arriving(job_id, asked.priority, asked.options.paths, dict(asked.labels))


async def each(items: Sequence[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """Work on all, a few at a time; the first error is raised as it is."""
    free = asyncio.Semaphore(_AT_A_TIME)

    async def one(item: Item) -> None:
        async with free:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
    except BaseExceptionGroup as errors:
        raise single_error(errors) from None


def job_id_of(tenant: str, idempotency_key: str, attempt: int = 0) -> str:
    """A random id, or the one that belongs to an attempt of a tenant's key."""
    name = f"{tenant}\n{idempotency_key}" + (f"\n{attempt}" if attempt else "")
    raw = hashlib.sha256(name.encode()).digest()[:15] if idempotency_key else uuid.uuid4().bytes[:15]
    return "job-" + base64.b32encode(raw).decode().lower()
