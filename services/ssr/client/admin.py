"""What an operator does to a running system: AdminService."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from ssr.client.connection import Connection
from ssr.client.deadline import Deadline
from ssr.core.job import Job
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.v1 import admin_pb2, admin_pb2_grpc

_Result = TypeVar("_Result")


class BlockingCall(Protocol):
    """Has a call made in an event loop of another thread, and waits for its result."""

    def __call__(self, call: Coroutine[Any, Any, _Result]) -> _Result: ...


@dataclass(frozen=True, slots=True)
class ReplicaInfo:
    """An orchestrator that takes jobs; `drained`: no more. `jobs` are in hand; `last_seen` is in UTC."""

    name: str
    jobs: int
    drained: bool
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """`paused_since` in UTC; None: not paused. `all_drained`: all replicas are drained, those to come too."""

    paused_since: datetime | None
    all_drained: bool
    replicas: tuple[ReplicaInfo, ...]


class AsyncAdmin:
    """For the administrator, where the server asks for API keys; else for everybody.

    All methods raise as those of `AsyncClient`, and PermissionDenied for others.
    """

    def __init__(self, connection: Connection, deadline: Callable[[], Deadline]) -> None:
        self._connection, self._deadline = connection, deadline

    async def queue(self) -> QueueInfo:
        """The queue as it is now."""
        return await self._state(self._stub.GetQueue, admin_pb2.GetQueueRequest())

    async def pause(self) -> QueueInfo:
        """No replica takes a job from now on; those in hand go on."""
        return await self._state(self._stub.PauseQueue, admin_pb2.PauseQueueRequest())

    async def resume(self) -> QueueInfo:
        """End the pause and every drain."""
        return await self._state(self._stub.ResumeQueue, admin_pb2.ResumeQueueRequest())

    async def drain(self, replica: str = "") -> QueueInfo:
        """One replica ("": all) takes no more jobs, and hands those in hand back at their next step boundary."""
        return await self._state(self._stub.DrainReplica, admin_pb2.DrainReplicaRequest(replica=replica))

    async def requeue(self, job_id: str) -> Job:
        """Queue a job again that failed or was parked; its committed steps stay. Raises: Conflict for any other."""
        request = admin_pb2.RequeueJobRequest(job_id=job_id)
        return job_from_wire(await self._connection.call(self._stub.RequeueJob, request, self._deadline()))

    @property
    def _stub(self) -> admin_pb2_grpc.AdminServiceAsyncStub:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)

    async def _state(self, method: Any, request: Any) -> QueueInfo:
        state = await self._connection.call(method, request, self._deadline())
        replicas = (
            ReplicaInfo(one.name, one.jobs, one.drained, one.last_seen.ToDatetime(UTC)) for one in state.replicas
        )
        since = state.paused_since.ToDatetime(UTC) if state.HasField("paused_since") else None
        return QueueInfo(since, state.all_drained, tuple(replicas))


class Admin:
    """`AsyncAdmin` of a `Client`: the same methods, which block."""

    def __init__(self, admin: AsyncAdmin, run: BlockingCall) -> None:
        self._admin, self._run = admin, run

    def queue(self) -> QueueInfo:
        """The queue as it is now."""
        return self._run(self._admin.queue())

    def pause(self) -> QueueInfo:
        """No replica takes a job from now on; those in hand go on."""
        return self._run(self._admin.pause())

    def resume(self) -> QueueInfo:
        """End the pause and every drain."""
        return self._run(self._admin.resume())

    def drain(self, replica: str = "") -> QueueInfo:
        """One replica ("": all) takes no more jobs, and hands those in hand back at their next step boundary."""
        return self._run(self._admin.drain(replica))

    def requeue(self, job_id: str) -> Job:
        """Queue a job again that failed or was parked; its committed steps stay. Raises: Conflict for any other."""
        return self._run(self._admin.requeue(job_id))
