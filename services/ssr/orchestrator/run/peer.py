"""A service of SSR as the orchestrator calls it: tried again while that may help, and watched."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol, TypeVar

from opentelemetry.trace import SpanKind

from ssr.core.errors import NoEngine, Retryable, SsrError, TimedOut, plain
from ssr.core.retry import Backoff, FailuresInARow
from ssr.core.types import PathContext
from ssr.engines.load import Pool
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.run.parking import Parking
from ssr.runtime.rpc.errors import remote_errors
from ssr.runtime.telemetry.tracing import TRACEPARENT, Span, Tracing, current_span

Request = TypeVar("Request", contravariant=True)
Reply = TypeVar("Reply", covariant=True)
Metadata = tuple[tuple[str, str], ...] | None


class RemoteMethod(Protocol[Request, Reply]):
    """A method of a service: gRPC's own for one reply, or one that reads the next reply of a stream."""

    def __call__(self, request: Request, *, timeout: float, metadata: Metadata) -> Awaitable[Reply]:
        """The reply within `timeout` seconds. Raises: our errors or gRPC's."""
        ...


#: Until the call's own deadline.
_BACKOFF = Backoff(first_s=0.1, max_s=5.0, patience_s=math.inf)
#: Between two looks whether an engine is there; each look waits for one itself.
_PARKED_S = 0.3


class Peer:
    """One service by its name for people, and the pool of its engines.

    `timeout_s`: the seconds that a call may take, retries included. Those in which the pool has no engine do not count.
    """

    def __init__(
        self, name: str, pool: Pool, timeout_s: float, metrics: StageMetrics, tracing: Tracing, parking: Parking
    ) -> None:
        self._name, self._pool, self._timeout_s, self._parking = name, pool, timeout_s, parking
        self._metrics, self._tracing = metrics, tracing

    def span(self, stage: Stage, job_id: str) -> AbstractContextManager[Span]:
        """The span of a call for a whole job."""
        return self._tracing.span(stage, SpanKind.CLIENT, job=job_id)

    def step_span(self, stage: Stage, context: PathContext) -> AbstractContextManager[Span]:
        """The span of a call for the next step of a path."""
        return self._tracing.span(
            stage, SpanKind.CLIENT, job=context.job_id, path=context.path, step=len(context.steps)
        )

    async def call(
        self,
        stage: Stage,
        method: RemoteMethod[Request, Reply],
        request: Request,
        job_id: str = "",
    ) -> Reply:
        """The reply of the service's method, asked for in the span of now.

        A call for a job waits for an engine, however long there is none; others end with NoEngine.
        Raises: TimedOut, or the service's own last error when the time for another try has run out.
        """
        began = time.monotonic()
        try:
            with ExitStack() as parked:
                reply = await self._retrying(stage, method, request, began + self._timeout_s, job_id, parked)
        except SsrError as error:
            self._metrics.failed(stage, error)
            raise
        self._metrics.succeeded(stage, time.monotonic() - began)
        return reply

    async def _retrying(
        self,
        stage: Stage,
        method: RemoteMethod[Request, Reply],
        request: Request,
        deadline: float,
        job_id: str,
        parked: ExitStack,
    ) -> Reply:
        span, failures, waits = current_span(), FailuresInARow(_BACKOFF, deadline), False
        attempts = 1
        metadata = ((TRACEPARENT, span.traceparent),) if span.traceparent else None
        while True:
            began = time.monotonic()
            left_s = failures.deadline - began
            try:
                async with remote_errors(self._name):
                    return await method(request, timeout=left_s, metadata=metadata)
            except NoEngine as error:
                if not job_id:
                    raise
                if not waits:
                    parked.enter_context(self._parking.parked(job_id, self._pool))
                    waits = True
                self._metrics.tried_again(stage, error)
                pause_s: float | None = Backoff(_PARKED_S, _PARKED_S).pause_s(0, 0.0)
                failures.deadline += time.monotonic() - began + (pause_s or 0.0)
            except Retryable as error:  # a call that timed out, too: an engine that hangs may be one of several
                # Another replica of the service may do it at once; what one asks for counts from the second time on.
                pause_s = failures.failed(time.monotonic(), error.delay_s if failures.count else 0.0)
                if pause_s is None:
                    if isinstance(error, TimedOut):
                        raise TimedOut(f"{self._name}: no answer within {plain(self._timeout_s)} s") from error
                    raise
                self._metrics.tried_again(stage, error)
            await asyncio.sleep(pause_s or 0.0)
            attempts += 1
            span.set(attempts=attempts)
