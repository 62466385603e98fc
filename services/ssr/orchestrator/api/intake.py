"""How a request becomes a job in the queue, once for each idempotency key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from ssr.core.errors import SsrError
from ssr.core.job import JobRequest, JobStatus
from ssr.core.limits import check_tenant
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.queue.job_queue import JobQueue
from ssr.orchestrator.queue.job_store import LATE, LEFT, Clock, JobStore, Made, Waiter
from ssr.orchestrator.queue.rates import Rates
from ssr.orchestrator.queue.stored_job import fingerprint_of
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.rpc.job_wire import PRIORITY
from ssr.runtime.telemetry.tracing import current_span
from ssr.v1 import reasoning_pb2

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
        own_labels: Mapping[str, str] = NO_LABELS,
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
            asked = await self._admission.check(request)
            request.priority = PRIORITY.number(asked.priority)  # said or not, it is the same request
            asked = replace(asked, labels=tuple(sorted({**dict(asked.labels), **own_labels}.items())))
            named = _Named(request.idempotency_key, fingerprint_of(request), tenant)
            making = asyncio.ensure_future(self._make(named, asked, waiter))
            try:
                return await asyncio.shield(making)
            except asyncio.CancelledError:
                await asyncio.shield(self._undo(making, request.idempotency_key, waiter))
                raise
        except SsrError as error:
            self._watch.jobs.refused(error)
            raise

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
            await self._queue.enqueue(
                job_id,
                asked.priority,
                named.tenant,
                paths,
                now_ms=now,
                oldest_ms=oldest,
                labels=dict(asked.labels),
            )
            await self._store.keep(job_id)
        if made.new:
            self._workload.submitted(paths)
            self._watch.jobs.submitted(asked.priority)
        return made

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


def job_id_of(tenant: str, idempotency_key: str, attempt: int = 0) -> str:
    """A random id, or the one that belongs to an attempt of a tenant's key."""
    name = f"{tenant}\n{idempotency_key}" + (f"\n{attempt}" if attempt else "")
    raw = hashlib.sha256(name.encode()).digest()[:15] if idempotency_key else uuid.uuid4().bytes[:15]
    return "job-" + base64.b32encode(raw).decode().lower()
