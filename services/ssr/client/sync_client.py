"""The same client without `async`: for scripts and notebooks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar, Unpack

from ssr.client.admin import Admin
from ssr.client.async_client import CALL_TIMEOUT_S, JOB_TIMEOUT_S, AsyncClient
from ssr.client.batch import Batch, BatchItem, ServerInfo
from ssr.client.pools import PoolStatus
from ssr.client.request import NO_LABELS, SolveOptions
from ssr.client.retrying import DEFAULT_BACKOFF
from ssr.core.job import Event, Job, JobPage, JobStatus, Priority
from ssr.core.retry import Backoff
from ssr.runtime.rpc.tls import Tls

Result = TypeVar("Result")

#: How long an interrupted call has to cancel its job.
_INTERRUPT_WAIT_S = 10.0


class Client:
    """`AsyncClient` for callers that are not asynchronous, or that have an event loop of their own (Jupyter).

    A context manager. It runs an event loop in a thread of its own; its methods block, and may be called from any
    thread. They take and raise what those of `AsyncClient` do; interrupting `solve` or `stream` cancels the job.
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
        self._client = AsyncClient(
            address, tenant=tenant, tls=tls, api_key=api_key, timeout_s=timeout_s, backoff=backoff
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssr-client", daemon=True)
        self._thread.start()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._run(self._client.__aexit__(*exc))
        finally:
            self._stop()

    @property
    def admin(self) -> Admin:
        """What an operator does to the running system."""
        return Admin(self._client.admin, self._run)

    def ready(self, timeout_s: float | None = CALL_TIMEOUT_S) -> None:
        """Wait until the server can be reached."""
        self._run(self._client.ready(timeout_s))

    def submit(
        self,
        problem: str,
        *,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Job:
        """Queue a problem. The job runs whether or not anybody watches."""
        return self._run(
            self._client.submit(problem, idempotency_key=idempotency_key, priority=priority, labels=labels, **options)
        )

    def solve(
        self,
        problem: str,
        *,
        timeout_s: float | None = JOB_TIMEOUT_S,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Job:
        """The finished job of a problem, with its paths."""
        solving = self._client.solve(
            problem, timeout_s=timeout_s, idempotency_key=idempotency_key, priority=priority, labels=labels, **options
        )
        return self._run(solving)

    def stream(
        self,
        problem: str,
        *,
        timeout_s: float | None = JOB_TIMEOUT_S,
        idempotency_key: str = "",
        priority: Priority | str = Priority.INTERACTIVE,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Generator[Event]:
        """Every event of a problem's job; closing the iterator early cancels the job."""
        events = self._client.stream(
            problem, timeout_s=timeout_s, idempotency_key=idempotency_key, priority=priority, labels=labels, **options
        )
        return self._iterate(events)

    def get(self, job_id: str) -> Job:
        """The job as it is now, with its paths."""
        return self._run(self._client.get(job_id))

    def wait(self, job_id: str, *, timeout_s: float | None = JOB_TIMEOUT_S) -> Job:
        """The job when it has ended, with its paths."""
        return self._run(self._client.wait(job_id, timeout_s=timeout_s))

    def watch(self, job_id: str, cursor: str = "", *, timeout_s: float | None = JOB_TIMEOUT_S) -> Generator[Event]:
        """Every event behind `cursor`, then live to the job's end; closing the iterator leaves the job alone."""
        return self._iterate(self._client.watch(job_id, cursor, timeout_s=timeout_s))

    def cancel(self, job_id: str) -> Job:
        """End a job; a finished one stays as it is."""
        return self._run(self._client.cancel(job_id))

    def list(
        self,
        limit: int = 50,
        page_token: str = "",
        *,
        tenant: str = "",
        statuses: Iterable[JobStatus | str] = (),
        labels: Mapping[str, str] = NO_LABELS,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
    ) -> JobPage:
        """Up to `limit` (1..500) jobs without their paths, newest first."""
        listing = self._client.list(
            limit,
            page_token,
            tenant=tenant,
            statuses=statuses,
            labels=labels,
            created_from=created_from,
            created_before=created_before,
        )
        return self._run(listing)

    def create_batch(
        self,
        problems: Sequence[str | BatchItem],
        *,
        idempotency_key: str = "",
        priority: Priority | str = Priority.BATCH,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Batch:
        """Queue 1..1000 problems as one object."""
        creating = self._client.create_batch(
            problems, idempotency_key=idempotency_key, priority=priority, labels=labels, **options
        )
        return self._run(creating)

    def get_batch(self, batch_id: str, limit: int = 100, page_token: str = "") -> Batch:
        """The batch as it is now, with a page of its jobs."""
        return self._run(self._client.get_batch(batch_id, limit, page_token))

    def delete(self, job_id: str) -> None:
        """Remove a job with all that is kept of it, for good."""
        self._run(self._client.delete(job_id))

    def server_info(self) -> ServerInfo:
        """What the server is and takes."""
        return self._run(self._client.server_info())

    def pools(self) -> tuple[PoolStatus, ...]:
        """The engine pools as their callers report them."""
        return self._run(self._client.pools())

    def _run(self, call: Coroutine[Any, Any, Result]) -> Result:
        """The result of a call in our loop; an interrupt of this thread cancels the call and waits for its end."""
        if self._loop is None:
            call.close()
            raise RuntimeError("the client is not open: use it in a `with` block")
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_reporting(call, ended), self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():  # the call is not over: it was this thread that was interrupted
                ended.wait(_INTERRUPT_WAIT_S)
            raise

    def _iterate(self, events: AsyncGenerator[Event]) -> Generator[Event]:
        try:
            while (event := self._run(_next(events))) is not None:
                yield event
        finally:
            # The garbage collector may end an abandoned iterator in the loop's own thread, which must not wait.
            if self._loop is not None and threading.current_thread() is not self._thread:
                self._run(events.aclose())

    def _stop(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        try:
            self._run(loop.shutdown_asyncgens())
        finally:
            self._loop = self._thread = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _reporting(call: Coroutine[Any, Any, Result], ended: threading.Event) -> Result:
    try:
        return await call
    finally:
        ended.set()


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)
