"""Jobs in Redis as they are now: their state, their events, the pages of List. It changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ssr.core.job import Job, JobStatus
from ssr.core.run import Run
from ssr.orchestrator.queue.identifiers import no_job
from ssr.orchestrator.queue.keys import JobKeys
from ssr.orchestrator.queue.listing import EVERYTHING, JobFilter, JobListing, Place, Shown
from ssr.orchestrator.queue.stored_job import folded, stored_event, stored_job
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors
from ssr.v1 import reasoning_pb2

#: Events that are read, and then folded or sent, at a time: a few milliseconds of the loop.
EVENTS_AT_ONCE = 256


class JobReader:
    """Reads jobs. Every method raises Unavailable while Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis, self._listing = redis, JobListing(redis)
        self._read = Script(redis, "orchestrator/queue/scripts/job/read")

    async def known(self, job_id: str) -> bool:
        """Whether there is such a job."""
        with redis_errors():
            return bool(await self._redis.exists(JobKeys(job_id).meta))

    async def final(self, job_id: str) -> bool:
        """Whether the job has ended. Raises: NotFound."""
        with redis_errors():
            status = await self._redis.hget(JobKeys(job_id).meta, "status")
        if status is None:
            raise no_job(job_id)
        return JobStatus(status.decode()).final

    async def end_wanted(self, job_id: str) -> str:
        """How the job's end is asked for: "" not at all, LATE and a reason for what there is, else for no answer."""
        with redis_errors():
            cancel = await self._redis.hget(JobKeys(job_id).meta, "cancel")
        return "" if cancel is None else str(cancel.decode())

    async def run(self, job_id: str) -> Run:
        """What is decided of the job so far. Raises: NotFound."""
        return (await self._snapshot(job_id))[1]

    async def get(self, job_id: str) -> Job:
        """The job as it is now. Raises: NotFound."""
        meta, run, cursor = await self._snapshot(job_id)
        return replace(stored_job(job_id, meta), paths=run.paths, usage=run.ledger.usage(), cursor=cursor)

    async def check_shown(self, job_id: str, shown: Shown) -> None:
        """Raises: NotFound for a job that is not there, and just so for one that is not shown."""
        with redis_errors():
            tenant = await self._redis.hget(JobKeys(job_id).meta, "tenant")
        if tenant is None or not shown(tenant.decode()):
            raise no_job(job_id)

    async def page(
        self, limit: int, before: Place | None, wanted: JobFilter = EVERYTHING
    ) -> tuple[list[Job], Place | None]:
        """Jobs without paths as `JobListing.page` finds them; and where the next page begins, if any."""
        found, following = await self._listing.page(limit, before, wanted)
        return [stored_job(job_id, meta) for job_id, meta in found], following

    async def jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """These jobs without their paths, all in one round trip; None for one that is gone."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hgetall(JobKeys(job_id).meta)
                metas = await pipe.execute()
        return [stored_job(job_id, meta) if meta else None for job_id, meta in zip(job_ids, metas, strict=True)]

    async def statuses(self, job_ids: Sequence[str]) -> list[JobStatus | None]:
        """How these jobs stand, in one round trip; None for one that is gone."""
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hget(JobKeys(job_id).meta, "status")
                found = await pipe.execute()
        return [None if status is None else JobStatus(status.decode()) for status in found]

    async def events(self, job_id: str, cursor: str) -> list[reasoning_pb2.Event]:
        """The next EVENTS_AT_ONCE events behind a cursor ("": from the beginning), as the API sends them."""
        entries = await self._entries(job_id, cursor, "+")
        return [stored_event(job_id, entry_id.decode(), fields[b"e"]) for entry_id, fields in entries]

    async def _snapshot(self, job_id: str) -> tuple[dict[bytes, bytes], Run, str]:
        """The job's fields, the fold of its decisions, and its last event's cursor, all of one moment."""
        pairs, entries, last = await self._read(JobKeys(job_id).both, [EVENTS_AT_ONCE])
        if not pairs:
            raise no_job(job_id)
        run = await folded(Run(), [payload for _, (_, payload) in entries])
        while entries[-1][0] != last:
            entries = await self._entries(job_id, entries[-1][0].decode(), last.decode())
            if not entries:
                raise no_job(job_id)  # it expired meanwhile
            run = await folded(run, [fields[b"e"] for _, fields in entries])
        return dict(zip(pairs[::2], pairs[1::2], strict=True)), run, last.decode()

    async def _entries(self, job_id: str, behind: str, last: str) -> list[Any]:
        with redis_errors():
            found: list[Any] = await self._redis.xrange(
                JobKeys(job_id).events, min=f"({behind}" if behind else "-", max=last, count=EVENTS_AT_ONCE
            )
        return found
