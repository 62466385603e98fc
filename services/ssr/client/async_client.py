"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Self, Unpack

from grpc import aio

from ssr.client.admin import AsyncAdmin
from ssr.client.connection import Connection
from ssr.client.credentials import credentials, warn_of_plaintext
from ssr.client.deadline import Deadline
from ssr.client.files import AsyncFiles
from ssr.client.request import NO_LABELS, SolveOptions, solve_request
from ssr.client.retrying import DEFAULT_BACKOFF, Retries, resumed
from ssr.client.server_calls import ServerCalls, new_key
from ssr.core.errors import BadReply, SsrError, TimedOut
from ssr.core.job import Event, Finished, Job, Priority
from ssr.core.retry import Backoff
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.runtime.rpc.tenant import WAITER_KEY
from ssr.runtime.rpc.tls import Tls
from ssr.v1 import reasoning_pb2

#: Limit of calls that are answered at once.
CALL_TIMEOUT_S = 30.0
#: Limit of calls that last as long as a job.
JOB_TIMEOUT_S = 3600.0
#: How long one call waits for a job's end: shorter than a server that is replaced gives to what is in hand.
_WAIT_S = 15.0
#: How long ending a job that nobody waits for any more may take.
_CLEANUP_S = 5.0


class AsyncClient(ServerCalls):
    """SSR at `address` ("host:port", or any gRPC target); an async context manager.

    Every call has a deadline: `timeout_s` for those that are answered at once, an argument of their own for `solve`,
    `stream` and `watch`; None is no limit. UNAVAILABLE and RESOURCE_EXHAUSTED are tried again as `backoff` says, within
    the deadline. `submit`, `solve` and `stream` carry an idempotency key (a random one unless it is given), so trying
    again never makes a second job.

    All calls are made as `tenant` (1..64 of the characters A-Z a-z 0-9 . _ -; "": the server's default tenant, or the
    one of the API key's owner).
    `tls` has the files for a server with TLS, which are read again when they change (`Tls()` trusts the public
    authorities); None calls in plaintext. `api_key` goes with every call; over plaintext to another machine that is
    logged.

    `priority` says which jobs go first: "interactive" ones before "batch" ones.

    `solve` and `stream` own their job: they submit it, wait for it or watch it, go on behind the last event when the
    connection breaks (the unary RPC Solve could not: the server cancels its job when the caller disconnects), and
    leave it when the caller is cancelled, leaves the stream early, or the deadline passes. A job that was left is
    cancelled, unless others wait for it or have submitted it, under the same idempotency key.

    All methods raise `ssr.core.errors`: InvalidRequest for what is out of its limits (before anything is sent, where
    the limit is known here; for a tenant and an API key when the client is made, for a file of `tls` when it is
    opened), Unauthenticated, PermissionDenied, Overloaded, Unavailable, TimedOut, NotFound, Conflict.
    """

    def __init__(
        self,
        address: str,
        *,
        tenant: str = "",
        tls: Tls | None = None,
        api_key: str = "",
        timeout_s: float | None = CALL_TIMEOUT_S,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        super().__init__(Connection(address, backoff, credentials(tenant, api_key), tls), timeout_s)
        if api_key and tls is None:
            warn_of_plaintext(address)
        self._backoff = backoff
        self._owned: dict[str, str] = {}  # who waits for a job -> the job's id

    async def __aenter__(self) -> Self:
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            while self._owned:  # of streams that were left and not closed
                await self._leave_quietly(*self._owned.popitem())
        finally:
            await self._connection.__aexit__(*exc)

    def acting_for(self, tenant: str = "", api_key: str = "") -> AsyncClient:
        """This client with another tenant and API key, on the same connection, which stays this one's to close.

        For servers that call in many callers' names. Raises: InvalidRequest.
        """
        other = copy(self)
        other._connection = self._connection.with_metadata(credentials(tenant, api_key))
        other._owned = {}
        return other

    @property
    def admin(self) -> AsyncAdmin:
        """What an operator does to the running system."""
        return AsyncAdmin(self._connection, self._deadline)

    @property
    def files(self) -> AsyncFiles:
        """Files that the server keeps for the tenant."""
        return AsyncFiles(self._connection, self._deadline)

    async def ready(self, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """Wait until the server can be reached. Raises: Unavailable."""
        await self._connection.ready(Deadline(timeout_s))

    async def submit(
        self,
        problem: str,
        *,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        waiter: str = "",
        **options: Unpack[SolveOptions],
    ) -> Job:
        """Queue a problem, or join the job of the idempotency key. The job runs whether or not anybody watches.

        With a `waiter` (a name that no other caller has, 1..64 of A-Z a-z 0-9 -) only until all who wait for it have
        left it, by `cancel` under their names.
        """
        request = solve_request(problem, idempotency_key or new_key(), options, priority, labels)
        return await self._submit(request, self._deadline(), waiter)

    async def solve(
        self,
        problem: str,
        *,
        timeout_s: float | None = JOB_TIMEOUT_S,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Job:
        """The finished job of a problem, with its paths; `job.status` says whether it has an answer."""
        request = solve_request(problem, idempotency_key or new_key(), options, priority, labels)
        deadline = Deadline(timeout_s)
        async with self._owned_job(request, deadline) as owned:
            job = await self._ended(owned.job_id, deadline)
            owned.finished = True
        return job

    async def stream(
        self,
        problem: str,
        *,
        timeout_s: float | None = JOB_TIMEOUT_S,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> AsyncGenerator[Event]:
        """Every event of a problem's job, from its beginning to its end.

        Leaving the stream early cancels the job: at once with `contextlib.aclosing`, else at the latest when the
        client closes.
        """
        request = solve_request(problem, idempotency_key or new_key(), options, priority, labels)
        deadline = Deadline(timeout_s)
        async with (
            self._owned_job(request, deadline) as owned,
            aclosing(self._watch(owned.job_id, "", deadline)) as events,
        ):
            async for event in events:
                owned.finished = isinstance(event.happening, Finished)
                yield event
        if not owned.finished:
            raise _broken_off(owned.job_id)

    async def get(self, job_id: str) -> Job:
        """The job as it is now, with its paths."""
        return await self._get(job_id, self._deadline())

    async def wait(self, job_id: str, *, timeout_s: float | None = JOB_TIMEOUT_S) -> Job:
        """The job when it has ended, with its paths. Leaving it does not cancel the job."""
        return await self._ended(job_id, Deadline(timeout_s))

    async def watch(
        self, job_id: str, cursor: str = "", *, timeout_s: float | None = JOB_TIMEOUT_S
    ) -> AsyncGenerator[Event]:
        """Every event behind `cursor` ("": from the beginning), then live to the job's end.

        Goes on behind the last event when the connection breaks. Leaving it does not cancel the job.
        """
        async with aclosing(self._watch(job_id, cursor, Deadline(timeout_s))) as events:
            async for event in events:
                yield event

    async def cancel(self, job_id: str, *, waiter: str = "") -> Job:
        """End a job; a finished one stays as it is. Gives the job as it is then.

        The `waiter` of a `submit` leaves the job, which ends if it was for nobody else.
        """
        request, name = reasoning_pb2.CancelRequest(job_id=job_id), ((WAITER_KEY, waiter),) if waiter else ()
        return job_from_wire(await self._connection.call(self._connection.stub.Cancel, request, self._deadline(), name))

    @asynccontextmanager
    async def _owned_job(self, request: reasoning_pb2.SolveRequest, deadline: Deadline) -> AsyncGenerator[_Owned]:
        """A job that ends with its caller's interest in it."""
        waiter = uuid.uuid4().hex
        owned = _Owned(await self._submit_or_abandon(request, deadline, waiter))
        self._owned[waiter] = owned.job_id
        try:
            yield owned
        except TimedOut as error:
            raise TimedOut(f"{error}; job {owned.job_id} is cancelled") from error
        finally:
            still = self._owned.pop(waiter, None)  # not there any more where the client closed first
            if still and not owned.finished:
                await self._leave_quietly(waiter, owned.job_id)

    async def _submit_or_abandon(self, request: reasoning_pb2.SolveRequest, deadline: Deadline, waiter: str) -> str:
        """The id of the request's job. When the caller goes, a job that was made all the same is left."""
        try:
            return (await self._submit(request, deadline, waiter)).job_id
        except (asyncio.CancelledError, TimedOut):
            with suppress(SsrError, aio.UsageError):
                job = await self._submit(request, Deadline(_CLEANUP_S), waiter)  # the key finds it again
                await self._leave_quietly(waiter, job.job_id)
            raise

    async def _leave_quietly(self, waiter: str, job_id: str) -> None:
        """End a job that nobody else waits for, if that can be done soon."""
        request, name = reasoning_pb2.CancelRequest(job_id=job_id), ((WAITER_KEY, waiter),)
        with suppress(SsrError, aio.UsageError):
            await self._connection.call(self._connection.stub.Cancel, request, Deadline(_CLEANUP_S), name)

    async def _submit(self, request: reasoning_pb2.SolveRequest, deadline: Deadline, waiter: str = "") -> Job:
        name = ((WAITER_KEY, waiter),) if waiter else ()
        return job_from_wire(await self._connection.call(self._connection.stub.Submit, request, deadline, name))

    async def _get(self, job_id: str, deadline: Deadline, wait_s: float = 0.0) -> Job:
        request = reasoning_pb2.GetRequest(job_id=job_id, wait_s=wait_s)
        return job_from_wire(await self._connection.call(self._connection.stub.Get, request, deadline))

    async def _ended(self, job_id: str, deadline: Deadline) -> Job:
        while True:
            remaining_s, asked = deadline.remaining_s, time.monotonic()
            wait_s = _WAIT_S if remaining_s is None else min(_WAIT_S, remaining_s)
            job = await self._get(job_id, deadline, wait_s)
            if job.status.final:
                return job
            if time.monotonic() - asked < wait_s / 2:  # 0.1.0 answers at once
                await self._watch_to_end(job, deadline)

    async def _watch_to_end(self, job: Job, deadline: Deadline) -> None:
        async with aclosing(self._watch(job.job_id, job.cursor, deadline)) as events:
            async for event in events:
                if isinstance(event.happening, Finished):
                    return
        raise _broken_off(job.job_id)

    async def _watch(self, job_id: str, cursor: str, deadline: Deadline) -> AsyncGenerator[Event]:
        def behind(last: str) -> AsyncGenerator[reasoning_pb2.Event]:
            request = reasoning_pb2.WatchRequest(job_id=job_id, cursor=last)
            return self._connection.stream(self._connection.stub.Watch, request, deadline)

        messages = resumed(behind, lambda message: message.cursor, cursor, Retries(self._backoff, deadline))
        async with aclosing(messages):
            async for message in messages:
                yield event_from_wire(message)


@dataclass(slots=True)
class _Owned:
    """`finished`: nothing is left to be cancelled."""

    job_id: str
    finished: bool = False


def _broken_off(job_id: str) -> BadReply:
    return BadReply(f"the events of job {job_id} ended before the job did")
