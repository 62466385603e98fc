"""A service of SSR as the orchestrator calls it: tried again while that may help, and watched."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from grpc import aio

from ssr.core.errors import NoEngine, Retryable, SsrError, TimedOut
from ssr.core.types import PathContext
from ssr.engines.load import Pool
from ssr.orchestrator.metrics.stages import Stage, StageMetrics
from ssr.orchestrator.run.parking import Parking
from ssr.runtime.rpc.errors import remote_errors
from ssr.runtime.telemetry.tracing import TRACEPARENT, Span, SpanRole, Tracing, current_span

Request = TypeVar("Request")
Reply = TypeVar("Reply")

_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 5.0
#: Between two looks whether an engine is there; each look waits for one itself.
_PARKED_S = 0.5


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
        return self._tracing.span(stage, SpanRole.CLIENT, job=job_id)

    def step_span(self, stage: Stage, context: PathContext) -> AbstractContextManager[Span]:
        """The span of a call for the next step of a path."""
        return self._tracing.span(
            stage, SpanRole.CLIENT, job=context.job_id, path=context.path, step=len(context.steps)
        )

    async def call(
        self,
        stage: Stage,
        method: aio.UnaryUnaryMultiCallable[Request, Reply],
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
        method: aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        deadline: float,
        job_id: str,
        parked: ExitStack,
    ) -> Reply:
        span, attempt, backoff_s = current_span(), 1, _FIRST_BACKOFF_S
        waits = False
        metadata = ((TRACEPARENT, span.traceparent),) if span.traceparent else None
        while True:
            began = time.monotonic()
            left_s = deadline - began
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
                delay_s = _PARKED_S * random.uniform(0.5, 1.0)
                deadline += time.monotonic() - began + delay_s
            except Retryable as error:  # a call that timed out, too: an engine that hangs may be one of several
                delay_s = max(error.delay_s if attempt > 1 else 0.0, backoff_s) * random.uniform(0.5, 1.0)
                if time.monotonic() + delay_s >= deadline:
                    if isinstance(error, TimedOut):
                        raise TimedOut(f"{self._name}: no answer within {self._timeout_s:g} s") from error
                    raise
                self._metrics.tried_again(stage, error)
            await asyncio.sleep(delay_s)
            attempt, backoff_s = attempt + 1, min(2 * backoff_s, _MAX_BACKOFF_S)
            span.set(attempts=attempt)
