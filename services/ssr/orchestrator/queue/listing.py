"""The list of all jobs by when they were created, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssr.core.errors import InvalidRequest, echoed
from ssr.core.job import JobStatus
from ssr.orchestrator.queue.keys import INDEX, LISTED, UNFINISHED, JobKeys
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors
from ssr.runtime.redis.servers import ClusterClient

#: Where a job is in the list: when it was created (ms), and its id. Newer ones are greater.
Place = tuple[int, str]
#: The fields of a job that a list shows.
Meta = dict[bytes, bytes]

#: Entries that one script looks at, and all of them for one page, where few are wanted.
_CHUNK = 2_000
_LOOKED_AT = 20_000
#: Of a time in milliseconds.
_MAX_DIGITS = 15
_FIELDS = ("tenant", "status", "request", "result", "created", "started", "finished", "waits")
_UNFINISHED = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose jobs are shown: of all tenants (`tenant` None), of one, or of one and those under it ("acme.eu")."""

    tenant: str | None = None
    below: bool = True

    def __call__(self, tenant: str) -> bool:
        if self.tenant is None or tenant == self.tenant:
            return True
        return self.below and tenant.startswith(f"{self.tenant}.")


ALL_SHOWN = Shown()


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list is to have: of a tenant ("": all that are shown), with any of the statuses (none: any), with
    all of the labels, created at `from_ms` or later and before `before_ms` (None: at any time).
    """

    shown: Shown = ALL_SHOWN
    tenant: str = ""
    statuses: frozenset[JobStatus] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    from_ms: int | None = None
    before_ms: int | None = None

    def fits(self, meta: Meta) -> bool:
        """Whether a job is shown, and has the tenant and the status; the rest is the index's to say."""
        tenant, status = meta[b"tenant"].decode(), meta[b"status"].decode()
        named = not self.tenant or tenant == self.tenant
        return named and self.shown(tenant) and (not self.statuses or status in self.statuses)

    @property
    def unfinished(self) -> bool:
        return bool(self.statuses) and self.statuses <= _UNFINISHED


EVERYTHING = JobFilter()


def place_of(token: str) -> Place | None:
    """The place that a page token names; None for "". Raises: InvalidRequest."""
    if not token:
        return None
    created, _, job_id = token.partition("-")
    if not (created.isascii() and created.isdecimal() and len(created) <= _MAX_DIGITS):
        raise InvalidRequest("page_token", f"{echoed(token)} is not one that a page before gave")
    return int(created), job_id


def token_of(place: Place | None) -> str:
    return "" if place is None else f"{place[0]}-{place[1]}"


def summary(tenant: str, labels: Mapping[str, str]) -> str:
    """What the index keeps of a job to find it by."""
    return json.dumps({"t": tenant, **({"l": dict(labels)} if labels else {})}, ensure_ascii=True)


class JobListing:
    """Finds jobs. Every method raises Unavailable while Redis cannot be reached."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._list = Script(redis, "orchestrator/queue/scripts/queue/list")

    async def page(
        self, limit: int, before: Place | None, wanted: JobFilter
    ) -> tuple[list[tuple[str, Meta]], Place | None]:
        """Up to `limit` jobs with their fields, newest first, from behind `before`; and where to go on, if anywhere.

        One round trip, or in a cluster two: the index, and all jobs together. Where wanted jobs are rare there may be
        fewer, and still more to come. Jobs that have expired leave the list.
        """
        jobs: list[tuple[str, Meta]] = []
        place, looked_at = before, 0
        while True:
            found, place, more = await self._find(limit - len(jobs), place, wanted)
            await self.forget([job_id for job_id, meta in found if b"tenant" not in meta])
            jobs += [(job_id, meta) for job_id, meta in found if b"tenant" in meta and wanted.fits(meta)]
            looked_at += _CHUNK
            if not more or len(jobs) >= limit or looked_at >= _LOOKED_AT:
                return jobs, place if more else None

    async def _find(
        self, limit: int, place: Place | None, wanted: JobFilter
    ) -> tuple[list[tuple[str, Meta]], Place | None, bool]:
        """Jobs that may be wanted, with their fields (none: gone); the last place looked at; whether there is more."""
        shown, at_once = wanted.shown, not isinstance(self._redis, ClusterClient)
        tenant = wanted.tenant or shown.tenant or ""
        below = f"{shown.tenant}." if shown.tenant and shown.below and not wanted.tenant else ""
        times = ["" if ms is None else ms for ms in (wanted.from_ms, wanted.before_ms)]
        labels, unfinished = json.dumps(dict(wanted.labels)), "1" if wanted.unfinished else ""
        statuses = f" {' '.join(sorted(wanted.statuses))} " if wanted.statuses else ""
        found, ms, job_id, more, rows = await self._list(
            [INDEX, LISTED, UNFINISHED],
            [
                *(*(place or ("", "")), limit, _CHUNK, tenant, below, *times, labels, unfinished, statuses),
                *(_FIELDS if at_once else ()),
            ],
        )
        ids = [name.decode() for name in found[1::2]]
        if not at_once:
            rows = await self._read(ids)
        metas = [
            {name.encode(): value for name, value in zip(_FIELDS, row, strict=True) if value is not None}
            for row in rows
        ]
        return list(zip(ids, metas, strict=True)), (int(ms), job_id.decode()) if ms else None, bool(more)

    async def _read(self, job_ids: Sequence[str]) -> list[list[bytes | None]]:
        """The jobs' fields, all together."""
        if not job_ids:
            return []
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hmget(JobKeys(job_id).meta, _FIELDS)
                rows: list[list[bytes | None]] = await pipe.execute()
        return rows

    async def forget(self, job_ids: Sequence[str]) -> None:
        """Take jobs that are gone off the list."""
        if job_ids:
            with redis_errors():
                async with self._redis.pipeline(transaction=False) as pipe:
                    pipe.zrem(INDEX, *job_ids)
                    pipe.hdel(LISTED, *job_ids)
                    await pipe.execute()


def _meta(row: Sequence[bytes | None]) -> Meta:
    """By name; without those that are not there."""
    return {name.encode(): value for name, value in zip(_FIELDS, row, strict=True) if value is not None}
