"""Which job a request is: a client's retry is the job that its first try began, and never a second one.

A request's idempotency key is its fingerprint, so all its tries meet in one job. The same request again, after that
job's end, is to be another job: its key is the fingerprint and the creation of the newest job of that fingerprint,
which a label finds. So all gateways come to the same key, and none of them keeps anything.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from ssr.client import AsyncClient, Job
from ssr.core.errors import NotFound, SsrError
from ssr.core.job import JobStatus
from ssr.gateway.asking import Ask
from ssr.gateway.errors import rate_headers

#: Labels of a job that a gateway made: its request's fingerprint; when the job before it with the same fingerprint was
#: made, or 0; and the model that was asked for.
REQUEST, AFTER, MODEL = "gateway.request", "gateway.after", "gateway.model"


@dataclass(frozen=True, slots=True)
class JoinedJob:
    """A job that a caller waits for, under the name `waiter`, until it leaves it."""

    client: AsyncClient
    job: Job
    waiter: str

    @property
    def headers(self) -> dict[str, str]:
        """What a reply says of the job beside its body."""
        return {"x-ssr-job-id": self.job.job_id, **rate_headers(self.job.allowances)}

    async def leave(self) -> None:
        """The job ends if it was for nobody else."""
        with suppress(SsrError):
            await self.client.cancel(self.job.job_id, waiter=self.waiter)


async def join(
    client: AsyncClient, ask: Ask, join_s: float, *, waits: bool = True, labels: Mapping[str, str] | None = None
) -> JoinedJob:
    """The job of a request: one that runs, or has ended at most `join_s` seconds ago, or else a new one.

    `waits`: the job ends when its callers have left it. Raises: what submitting raises.
    """
    waiter = uuid.uuid4().hex if waits else ""
    more = labels or {}
    job = await _submit(client, ask, "0", waiter, more)
    if job.finished is not None:
        page = await client.list(1, labels={REQUEST: ask.fingerprint})
        newest = page.jobs[0] if page.jobs else job
        after = dict(newest.labels).get(AFTER, "0") if _joinable(newest, join_s) else _milliseconds(newest.created)
        job = await _submit(client, ask, after, waiter, more)
    return JoinedJob(client, job, waiter)


async def _submit(client: AsyncClient, ask: Ask, after: str, waiter: str, labels: Mapping[str, str]) -> Job:
    key = f"{ask.fingerprint}-{after}"
    own = {REQUEST: ask.fingerprint, AFTER: after, MODEL: ask.model}
    return await client.submit(
        ask.problem,
        idempotency_key=key,
        priority=ask.priority,
        labels={**ask.labels, **labels, **own},
        waiter=waiter,
        **ask.options,
    )


def _joinable(job: Job, join_s: float) -> bool:
    """Whether a try of now belongs to this job."""
    if job.finished is None:
        return True
    if job.status is JobStatus.CANCELLED:
        return False
    return time.time() - job.finished.timestamp() <= join_s


def _milliseconds(created: datetime | None) -> str:
    if created is None:
        raise NotFound("the job before this one has no time of creation")
    return str(round(created.timestamp() * 1000))
