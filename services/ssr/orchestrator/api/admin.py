"""AdminService: what an operator does to a running system."""

from __future__ import annotations

import logging
from typing import Any

from grpc import aio

from ssr.core.errors import PermissionDenied
from ssr.core.job import Job
from ssr.orchestrator.queue.control import ALL, QueueControl
from ssr.orchestrator.queue.identifiers import check_job_id
from ssr.orchestrator.queue.job_queue import Arriving, JobQueue
from ssr.orchestrator.queue.job_store import Clock, JobStore
from ssr.runtime.rpc.job_wire import job_to_wire
from ssr.runtime.rpc.tenant import CALLER
from ssr.v1 import admin_pb2, admin_pb2_grpc, reasoning_pb2

_log = logging.getLogger(__name__)

_Context = aio.ServicerContext[Any, Any]


def check_administrator() -> None:
    """Raises: PermissionDenied where the call has an API key that is not the administrator's."""
    caller = CALLER.get()
    if caller is not None and not caller.administrator:
        raise PermissionDenied(
            f"{caller.name} is not the administrator; the server's setting administrator names whose API key that is"
        )


class AdminServicer(admin_pb2_grpc.AdminServiceServicer):
    """Pauses, drains and queues again; each of them is a line of the log."""

    def __init__(
        self, control: QueueControl, store: JobStore, queue: JobQueue, now: Clock, *, retention_s: int
    ) -> None:
        self._control, self._store, self._queue = control, store, queue
        self._now, self._retention_s = now, retention_s

    async def GetQueue(  # noqa: N802 - gRPC's name
        self, request: admin_pb2.GetQueueRequest, context: _Context
    ) -> admin_pb2.QueueState:
        check_administrator()
        return await self._state()

    async def PauseQueue(  # noqa: N802 - gRPC's name
        self, request: admin_pb2.PauseQueueRequest, context: _Context
    ) -> admin_pb2.QueueState:
        check_administrator()
        await self._control.pause()
        _log.warning("the queue is paused: no replica takes a job until it is resumed")
        return await self._state()

    async def ResumeQueue(  # noqa: N802 - gRPC's name
        self, request: admin_pb2.ResumeQueueRequest, context: _Context
    ) -> admin_pb2.QueueState:
        check_administrator()
        await self._control.resume()
        _log.info("the queue is resumed: all replicas take jobs")
        return await self._state()

    async def DrainReplica(  # noqa: N802 - gRPC's name
        self, request: admin_pb2.DrainReplicaRequest, context: _Context
    ) -> admin_pb2.QueueState:
        check_administrator()
        await self._control.drain(request.replica or ALL)
        _log.warning("%s drained: no more jobs until the queue is resumed", request.replica or "all replicas are")
        return await self._state()

    async def RequeueJob(  # noqa: N802 - gRPC's name
        self, request: admin_pb2.RequeueJobRequest, context: _Context
    ) -> reasoning_pb2.Job:
        check_administrator()
        check_job_id(request.job_id)
        job = await self._store.requeue(request.job_id)
        await self._enqueue(job)
        _log.info("job %s is queued again", job.job_id)
        return job_to_wire(await self._store.get(job.job_id))

    async def _enqueue(self, job: Job) -> None:
        """As a new entry: whoever ended the job may not yet have taken out the one before."""
        await self._queue.drop(job.job_id)
        now_ms = self._now()
        created_ms = now_ms if job.created is None else round(job.created.timestamp() * 1000)
        again = Arriving(job.job_id, job.priority, job.options.paths, dict(job.labels))
        oldest_ms = now_ms - 1000 * self._retention_s
        await self._queue.enqueue([again], job.tenant, now_ms=created_ms, oldest_ms=oldest_ms)
        await self._store.keep(job.job_id)

    async def _state(self) -> admin_pb2.QueueState:
        state = await self._control.state()
        message = admin_pb2.QueueState(all_drained=state.all_drained)
        if state.paused_ms is not None:
            message.paused_since.FromMilliseconds(state.paused_ms)
        for replica in state.replicas:
            listed = message.replicas.add(name=replica.name, jobs=replica.jobs, drained=replica.drained)
            listed.last_seen.FromMilliseconds(replica.seen_ms)
        return message
