"""The list of all jobs by when they were created, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ssr.core.errors import InvalidRequest
from ssr.orchestrator.queue.keys import INDEX, JobKeys
from ssr.runtime.redis.client import RedisClient, pipelined
from ssr.runtime.redis.failures import redis_errors

#: Where a job is in the list: when it was created (ms), and its id. Newer ones are greater.
Place = tuple[int, str]
#: Whether jobs of a tenant are shown.
Shown = Callable[[str], bool]

#: Jobs that are looked at together, and for one page at most, where most are not shown.
_CHUNK = 500
_LOOKED_AT = 20_000
#: Of a time in milliseconds.
_MAX_DIGITS = 15


def all_shown(tenant: str) -> bool:
    return True


def place_of(token: str) -> Place | None:
    """The place that a page token names; None for "". Raises: InvalidRequest."""
    if not token:
        return None
    created, _, job_id = token.partition("-")
    if not (created.isascii() and created.isdecimal() and len(created) <= _MAX_DIGITS):
        raise InvalidRequest("page_token", "is not one that a page before gave")
    return int(created), job_id


def token_of(place: Place | None) -> str:
    return "" if place is None else f"{place[0]}-{place[1]}"


async def listed(
    redis: RedisClient, limit: int, before: Place | None, shown: Shown = all_shown
) -> tuple[list[str], Place | None]:
    """Up to `limit` ids of jobs that are shown, newest first, from behind `before`; and where to go on, if anywhere.

    Where shown jobs are rare there may be fewer, and still more to come. Jobs that have expired leave the list.
    Raises: Unavailable.
    """
    ids: list[str] = []
    place, looked_at, size = before, 0, limit
    while True:
        with redis_errors():
            found, more = await _behind(redis, place, size)
            tenants = await _tenants(redis, found)
            if gone := [entry[1] for entry, tenant in zip(found, tenants, strict=True) if tenant is None]:
                await redis.zrem(INDEX, *gone)
        for place, tenant in zip(found, tenants, strict=True):
            if tenant is not None and shown(tenant):
                ids.append(place[1])
            if len(ids) == limit:
                return ids, place if more or place != found[-1] else None
        looked_at += len(found)
        if not more or looked_at >= _LOOKED_AT:
            return ids, place if more else None
        size = _CHUNK


async def _behind(redis: RedisClient, place: Place | None, size: int) -> tuple[list[Place], bool]:
    """About so many entries behind a place, at least one if there is any; and whether there may be more."""
    highest, offset = "+inf" if place is None else place[0], 0
    while True:
        entries = await redis.zrange(
            INDEX, highest, "-inf", desc=True, byscore=True, offset=offset, num=size, withscores=True
        )
        found = [(int(created), job_id.decode()) for job_id, created in entries]
        behind = [entry for entry in found if place is None or entry < place]  # not those of the same ms before it
        more = len(found) == size
        if behind or not more:
            return behind, more
        offset += size


async def _tenants(redis: RedisClient, entries: Sequence[Place]) -> list[str | None]:
    if not entries:
        return []
    tenants = await pipelined(redis, [("HGET", JobKeys(job_id).meta, "tenant") for _, job_id in entries])
    return [None if tenant is None else tenant.decode() for tenant in tenants]
