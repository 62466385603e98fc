"""What all endpoints have in common: the orchestrator behind them, and waiting for a job with its caller."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ssr.client import AsyncClient, Event, Job
from ssr.core.errors import InvalidRequest, SsrError
from ssr.core.job import JobStatus
from ssr.gateway.asking import Ask, problem_error
from ssr.gateway.caller import ApiCaller
from ssr.gateway.conversation import PlainRule
from ssr.gateway.errors import ApiError, CallerGone, from_ssr
from ssr.gateway.event_stream import gone
from ssr.gateway.joining import JoinedJob, join
from ssr.gateway.metrics import GatewayMetrics
from ssr.gateway.models import Models
from ssr.gateway.settings import GatewaySettings

#: Callers whose client is kept.
_CALLERS = 256
#: What a library that tries again by itself gets of a job that failed for good.
_NO_RETRY = {"x-should-retry": "false"}


class Reader(Protocol):
    """Whoever wants a job's events, in their order."""

    def add(self, event: Event) -> object: ...


class Gateway:
    """The settings, the models and the client that all requests share."""

    def __init__(self, settings: GatewaySettings, models: Models, client: AsyncClient, metrics: GatewayMetrics) -> None:
        self.settings, self.models, self.client, self.metrics = settings, models, client, metrics
        talk = re.compile(settings.small_talk, re.IGNORECASE) if settings.small_talk else None
        self.plain = PlainRule(settings.task_prefixes, talk)
        self._acting_for = lru_cache(_CALLERS)(client.acting_for)

    def too_large(self, most: int) -> ApiError:
        """The error for a body that has more than `most` bytes."""
        headers = {"connection": "close"}
        return ApiError(413, f"the body has more than {most} bytes", code="request_too_large", headers=headers)

    def acting_for(self, caller: ApiCaller, user: str = "") -> AsyncClient:
        return self._acting_for(f".{user}" if user else "", caller.api_key)

    async def join(
        self, caller: ApiCaller, asked: Ask, *, waits: bool = True, labels: Mapping[str, str] | None = None
    ) -> JoinedJob:
        """The job of a request. Raises: ApiError."""
        settings = self.settings
        join_s = settings.join_retry_s if caller.retry else settings.join_s
        if caller.idempotency_key:
            join_s = math.inf
        try:
            joined = await join(self.acting_for(caller, asked.user), asked, join_s, waits=waits, labels=labels)
        except InvalidRequest as error:
            raise problem_error(error, asked.params) from None
        except SsrError as error:
            raise from_ssr(error, asked.params) from None
        return joined

    async def ended(self, joined: JoinedJob) -> Job:
        """The job at its end, with its paths. Raises: SsrError."""
        return await joined.client.wait(joined.job.job_id, timeout_s=self.settings.timeout_s)

    async def reported(self, joined: JoinedJob, reader: Reader) -> None:
        """Lets `reader` have all that the job reports, until its end. Raises: SsrError."""
        events = joined.client.watch(joined.job.job_id, timeout_s=self.settings.timeout_s)
        async with aclosing(events):
            async for event in events:
                reader.add(event)


class WholeReply:
    """Sends the reply that `making` gives, which waits for the job's end in some way.

    A caller that goes before leaves the job, a moment later, so that its next try finds it.
    """

    def __init__(self, making: Coroutine[Any, Any, Response], joined: JoinedJob, asked: Ask, linger_s: float) -> None:
        self._making, self._joined, self._asked, self._linger_s = making, joined, asked, linger_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises: ApiError; CallerGone."""
        try:
            async with asyncio.timeout(None) as waiting:
                name = f"{self._joined.job.job_id}/caller"
                leaving = asyncio.create_task(self._leave(receive, waiting), name=name)
                try:
                    reply = await self._making
                    await reply(scope, receive, send)  # before what is tidied up: nobody is to wait for that
                finally:
                    leaving.cancel()
                    await asyncio.gather(leaving, return_exceptions=True)
        except TimeoutError:
            raise CallerGone from None
        except SsrError as error:
            raise from_ssr(error, self._asked.params) from None

    async def _leave(self, receive: Receive, waiting: asyncio.Timeout) -> None:
        """Ends the waiting a moment after the caller has gone."""
        await gone(receive)
        await asyncio.sleep(self._linger_s)
        await self._joined.leave()
        waiting.reschedule(asyncio.get_running_loop().time())


def succeeded(job: Job | None) -> Job:
    """The job, where it ended with what can be answered; None: it has not ended. Raises: ApiError where it did not."""
    if job is None:
        raise ApiError(502, "the job's events ended before the job did", "server_error", None, "internal_error")
    if job.status is JobStatus.CANCELLED:
        raise ApiError(409, f"{job.job_id} was cancelled", "server_error", None, "job_cancelled", _NO_RETRY)
    if job.status in (JobStatus.FAILED, JobStatus.PARKED, JobStatus.UNKNOWN):
        message = f"{job.job_id} failed: {job.error or job.status}"
        raise ApiError(500, message, "server_error", None, "job_failed", _NO_RETRY)
    return job
