"""ReasoningService: the public API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import uuid
from collections.abc import AsyncIterator

from grpc import aio

from ssr.core.errors import InvalidRequest
from ssr.core.job import Event
from ssr.orchestrator.admission import Admission
from ssr.orchestrator.following import follow
from ssr.orchestrator.notices import Notices
from ssr.orchestrator.store import JobStore, fingerprint_of
from ssr.rpc.job_wire import event_to_wire, job_to_wire
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc

_DEFAULT_LIST = 50
_MAX_LIST = 500
_CURSOR = re.compile(r"\d+-\d+")

_Context = aio.ServicerContext[reasoning_pb2.SolveRequest, reasoning_pb2.Job]


class ReasoningServicer(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Takes problems in, tells of their jobs. Any replica can answer for any job."""

    def __init__(self, store: JobStore, notices: Notices, admission: Admission) -> None:
        self._store, self._notices, self._admission = store, notices, admission

    async def Submit(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> reasoning_pb2.Job:
        return job_to_wire(await self._store.get(await self._submit(request)))

    async def Solve(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> reasoning_pb2.Job:
        job_id = await self._submit(request)
        async for _ in self._follow_or_cancel(job_id):
            pass
        return job_to_wire(await self._store.get(job_id))

    async def SolveStream(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> AsyncIterator[reasoning_pb2.Event]:
        job_id = await self._submit(request)
        async for event in self._follow_or_cancel(job_id):
            yield event_to_wire(event)

    async def Get(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetRequest, context: _Context
    ) -> reasoning_pb2.Job:
        return job_to_wire(await self._store.get(_job_id(request.job_id)))

    async def Watch(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.WatchRequest, context: _Context
    ) -> AsyncIterator[reasoning_pb2.Event]:
        if request.cursor and not _CURSOR.fullmatch(request.cursor):
            raise InvalidRequest("cursor", f"{request.cursor!r} is no cursor; send one from an event, or none")
        async for event in follow(self._store, self._notices, _job_id(request.job_id), request.cursor):
            yield event_to_wire(event)

    async def Cancel(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.CancelRequest, context: _Context
    ) -> reasoning_pb2.Job:
        job_id = _job_id(request.job_id)
        await self._store.cancel(job_id)
        return job_to_wire(await self._store.get(job_id))

    async def List(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.ListRequest, context: _Context
    ) -> reasoning_pb2.ListResponse:
        if request.limit > _MAX_LIST:
            raise InvalidRequest("limit", f"must be within 1..{_MAX_LIST}; got {request.limit}")
        if request.page_token and not request.page_token.isdecimal():
            raise InvalidRequest("page_token", "is not one that a page before gave")
        before_ms = int(request.page_token) if request.page_token else None
        jobs, next_ms = await self._store.page(request.limit or _DEFAULT_LIST, before_ms)
        return reasoning_pb2.ListResponse(
            jobs=[job_to_wire(job) for job in jobs], next_page_token="" if next_ms is None else str(next_ms)
        )

    async def _submit(self, request: reasoning_pb2.SolveRequest) -> str:
        """Queue the request; answers with the id of its job, new or not."""
        resolved = await self._admission.check(request)
        job_id = _new_job_id(request.idempotency_key)
        await self._store.create(job_id, resolved, fingerprint_of(request))
        return job_id

    async def _follow_or_cancel(self, job_id: str) -> AsyncIterator[Event]:
        """The job's events; a caller that goes away before the last cancels the job."""
        try:
            async for event in follow(self._store, self._notices, job_id):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            await asyncio.shield(self._store.cancel(job_id))
            raise


def _new_job_id(idempotency_key: str) -> str:
    """A random id, or the one that belongs to the key."""
    raw = hashlib.sha256(idempotency_key.encode()).digest()[:15] if idempotency_key else uuid.uuid4().bytes[:15]
    return "job-" + base64.b32encode(raw).decode().lower()


def _job_id(job_id: str) -> str:
    if not job_id:
        raise InvalidRequest("job_id", "is empty")
    return job_id
