"""How a request becomes a job in the queue, once for each idempotency key."""

from __future__ import annotations

import base64
import hashlib
import uuid

from ssr.core.errors import SsrError
from ssr.core.job import JobStatus
from ssr.core.limits import check_tenant
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.queue.job_queue import JobQueue
from ssr.orchestrator.queue.job_store import Clock, JobStore, fingerprint_of
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.rpc.job_wire import PRIORITY, asked_priority
from ssr.runtime.telemetry.tracing import current_span
from ssr.v1 import reasoning_pb2


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
    ) -> None:
        self._admission, self._store, self._queue, self._now = admission, store, queue, now
        self._workload_adapter, self._watch = workload, watch
        self._retention_ms = retention_s * 1000

    async def submit(self, request: reasoning_pb2.SolveRequest, tenant: str, *, within_s: float | None = None) -> str:
        """Queue a request; answers with the id of its job, new or not. `within_s` is a deadline beside its own.

        The job is in Redis before it is in the queue, and is forgotten when it does not get there: whoever submits
        again after a failure finds it, or makes it anew, and never twice.
        Raises: InvalidRequest, Conflict, Overloaded; Unavailable while a part that must be asked is away.
        """
        try:
            return await self._submit(request, tenant, within_s)
        except SsrError as error:
            self._watch.jobs.refused(error)
            raise

    async def _submit(self, request: reasoning_pb2.SolveRequest, tenant: str, within_s: float | None) -> str:
        check_tenant(tenant)
        priority = asked_priority(request.priority)
        request.priority = PRIORITY.number(priority)  # said or not, it is the same request
        resolved = await self._admission.check(request)
        options = resolved.options
        if within_s is not None:
            options.deadline_s = min(within_s, options.deadline_s if options.HasField("deadline_s") else within_s)
        job_id, now = _job_id(tenant, request.idempotency_key), self._now()
        current_span().set(job=job_id)
        await self._queue.check_room(job_id)
        trace = current_span().traceparent
        new = await self._store.create(job_id, resolved, tenant, fingerprint_of(request), now, trace)
        if new or not await self._store.final(job_id):
            oldest = now - 2 * self._retention_ms
            await self._queue.enqueue(job_id, priority, tenant, options.paths, now_ms=now, oldest_ms=oldest)
            await self._store.keep(job_id)
        if new:
            self._workload_adapter.submitted(options.paths)
            self._watch.jobs.submitted(priority)
        return job_id

    async def cancel(self, job_id: str) -> None:
        """End a job: here and now if nobody has claimed it, else its owner does. Raises: NotFound."""
        await self._store.cancel(job_id)
        await self._end_queued(job_id, JobStatus.CANCELLED)

    async def expire(self, job_id: str, reason: str) -> None:
        """End a job whose time is over, if it is still in the queue. Raises: NotFound."""
        await self._end_queued(job_id, JobStatus.PARTIAL, reason)

    async def _end_queued(self, job_id: str, status: JobStatus, reason: str = "") -> None:
        ended = await self._store.end_queued(job_id, status, reason)
        if ended is not None:
            age_s = 0.0 if ended.created is None else self._now() / 1000 - ended.created.timestamp()
            self._watch.jobs.ended(status, ended.options.mode, age_s)
            await self._queue.drop(job_id)


def _job_id(tenant: str, idempotency_key: str) -> str:
    """A random id, or the one that belongs to a tenant's key."""
    name = f"{tenant}\n{idempotency_key}".encode()
    raw = hashlib.sha256(name).digest()[:15] if idempotency_key else uuid.uuid4().bytes[:15]
    return "job-" + base64.b32encode(raw).decode().lower()
