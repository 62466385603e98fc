"""ReasoningService: the public API."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from grpc import aio

from ssr.autoscaler.reports import ReportStore
from ssr.core.errors import InvalidRequest, NotFound, Unavailable, plain
from ssr.core.limits import check_within
from ssr.orchestrator.api.batches import Batches
from ssr.orchestrator.api.intake import Intake
from ssr.orchestrator.api.pools import pools_of
from ssr.orchestrator.api.server_info import ServerInformation
from ssr.orchestrator.api.visibility import Visibility, wanted_of
from ssr.orchestrator.api.watch import ended, follow
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.identifiers import check_cursor, check_job_id
from ssr.orchestrator.queue.job_store import JobStore, Waiter
from ssr.orchestrator.queue.listing import ALL_SHOWN, place_of, token_of
from ssr.orchestrator.queue.wakeups import Wakeups
from ssr.runtime.rpc.job_wire import job_to_wire
from ssr.runtime.rpc.tenant import tenant_of, waiter_of
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc

#: What of a caller's own deadline is kept for ending the job and bringing the answer back: a share, at most so much.
_ANSWER_SHARE = 0.2
_ANSWER_S = 1.0
_DEFAULT_LIST = 50
MAX_LIST = 500
#: That a Get may wait for a job's end: what is between may close calls in which nothing happens.
_MAX_WAIT_S = 60.0
#: For a job that is to be deleted to end.
_DELETE_S = 20.0

_Context = aio.ServicerContext[reasoning_pb2.SolveRequest, reasoning_pb2.Job]


class ReasoningServicer(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Takes problems in, and shows their jobs. Any replica can answer for any job."""

    def __init__(
        self,
        store: JobStore,
        wakeups: Wakeups,
        followers: Followers,
        intake: Intake,
        batches: Batches,
        information: ServerInformation,
        visibility: Visibility,
        reports: ReportStore,
    ) -> None:
        self._store, self._wakeups, self._followers, self._intake = store, wakeups, followers, intake
        self._batches, self._information, self._visibility = batches, information, visibility
        self._reports = reports

    async def Submit(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> reasoning_pb2.Job:
        name = waiter_of(context)
        tenant = tenant_of(context)
        job_id = await self._intake.submit(request, tenant, Waiter(name) if name else None)
        job = await self._store.get(job_id)
        return job_to_wire(replace(job, allowances=await self._intake.allowances(tenant)))

    async def Solve(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> reasoning_pb2.Job:
        async with self._joined_job(request, context) as job_id:
            await ended(self._store, self._wakeups, job_id)
            return job_to_wire(await self._store.get(job_id))

    async def SolveStream(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.SolveRequest, context: _Context
    ) -> AsyncIterator[reasoning_pb2.Event]:
        async with self._joined_job(request, context) as job_id:
            async for event in follow(self._store, self._followers, job_id):
                yield event

    async def Get(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetRequest, context: _Context
    ) -> reasoning_pb2.Job:
        check_within("wait_s", request.wait_s, 0, _MAX_WAIT_S)
        job_id = await self._shown(request.job_id, context)
        if request.wait_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(request.wait_s):
                    await ended(self._store, self._wakeups, job_id)
        return job_to_wire(await self._store.get(job_id))

    async def Watch(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.WatchRequest, context: _Context
    ) -> AsyncIterator[reasoning_pb2.Event]:
        check_cursor(request.cursor)
        job_id = await self._shown(request.job_id, context)
        async for event in follow(self._store, self._followers, job_id, request.cursor):
            yield event

    async def Cancel(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.CancelRequest, context: _Context
    ) -> reasoning_pb2.Job:
        job_id = await self._shown(request.job_id, context)
        if waiter := waiter_of(context):
            await self._intake.leave(job_id, waiter)
        else:
            await self._intake.cancel(job_id)
        return job_to_wire(await self._store.get(job_id))

    async def List(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.ListRequest, context: _Context
    ) -> reasoning_pb2.ListResponse:
        if request.limit > MAX_LIST:
            raise InvalidRequest("limit", f"must be within 1..{MAX_LIST}; got {request.limit}")
        before, wanted = place_of(request.page_token), wanted_of(request, self._visibility.shown(context))
        jobs, following = await self._store.page(request.limit or _DEFAULT_LIST, before, wanted)
        return reasoning_pb2.ListResponse(jobs=[job_to_wire(job) for job in jobs], next_page_token=token_of(following))

    async def CreateBatch(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.CreateBatchRequest, context: _Context
    ) -> reasoning_pb2.Batch:
        batch_id = await self._batches.create(request, tenant_of(context))
        return await self._batches.get(reasoning_pb2.GetBatchRequest(batch_id=batch_id), ALL_SHOWN)

    async def GetBatch(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetBatchRequest, context: _Context
    ) -> reasoning_pb2.Batch:
        return await self._batches.get(request, self._visibility.shown(context))

    async def DeleteJob(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.DeleteJobRequest, context: _Context
    ) -> reasoning_pb2.DeleteJobResponse:
        job_id = await self._shown(request.job_id, context)
        await self._intake.cancel(job_id)
        try:
            async with asyncio.timeout(_DELETE_S):
                await ended(self._store, self._wakeups, job_id)
        except TimeoutError:
            raise Unavailable(f"job_id: the job is cancelled and has not ended within {_DELETE_S:g} s") from None
        await self._store.delete(job_id)
        return reasoning_pb2.DeleteJobResponse()

    async def GetServerInfo(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetServerInfoRequest, context: _Context
    ) -> reasoning_pb2.ServerInfo:
        return await self._information.get()

    async def GetPools(  # noqa: N802 - gRPC's name
        self, request: reasoning_pb2.GetPoolsRequest, context: _Context
    ) -> reasoning_pb2.Pools:
        return pools_of(await self._reports.read(), self._reports.ttl_s)

    async def _shown(self, job_id: str, context: _Context) -> str:
        """The id of a job that the caller may see. Raises: InvalidRequest, NotFound."""
        check_job_id(job_id)
        if (shown := self._visibility.shown(context)) is not ALL_SHOWN:
            await self._store.check_shown(job_id, shown)
        return job_id

    @asynccontextmanager
    async def _joined_job(self, request: reasoning_pb2.SolveRequest, context: _Context) -> AsyncGenerator[str]:
        """The job of a call that waits for it.

        Where it is for nobody else, it has to end before the call's deadline, so that the caller gets what there is,
        and a caller that goes away cancels it.
        """
        within_s = _within_s(context)
        waiter = Waiter(uuid.uuid4().hex, None if within_s is None else round(1000 * (time.time() + within_s)))
        job_id = await self._intake.submit(request, tenant_of(context), waiter)
        # Not in a TaskGroup, which would wrap the errors that the caller is to get.
        expiring = asyncio.create_task(self._expire(job_id, waiter, within_s), name=f"{job_id}/expire")
        try:
            yield job_id
        except BaseException:
            await asyncio.shield(self._leave(job_id, waiter))
            raise
        finally:
            expiring.cancel()

    async def _leave(self, job_id: str, waiter: Waiter) -> None:
        with suppress(Unavailable, NotFound):
            await self._intake.leave(job_id, waiter.name)

    async def _expire(self, job_id: str, waiter: Waiter, within_s: float | None) -> None:
        """End a job with what it has when the caller's time is over, unless others wait for it."""
        if within_s is not None:
            await asyncio.sleep(within_s)
            with suppress(Unavailable, NotFound):
                await self._intake.late(
                    job_id, waiter.name, f"the deadline of {plain(round(within_s, 3))} s has passed"
                )


def _within_s(context: _Context) -> float | None:
    """How many seconds a job may take for its caller to get the answer in time; None without a deadline."""
    left_s = context.time_remaining()
    return None if left_s is None else max(left_s - min(_ANSWER_SHARE * left_s, _ANSWER_S), 0.001)
