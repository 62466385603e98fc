"""Pages of the list of jobs, on a real Valkey and on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from valkey_servers import cluster

from ssr.core.errors import InvalidRequest
from ssr.orchestrator.queue import listing
from ssr.orchestrator.queue.keys import INDEX, JobKeys
from ssr.orchestrator.queue.listing import EVERYTHING, JobFilter, JobListing, Place, Shown, place_of, token_of
from ssr.runtime.redis.client import RedisClient, open_redis


async def add(redis: RedisClient, created: int, job_id: str, tenant: str) -> None:
    await redis.zadd(INDEX, {job_id: created})
    await redis.hset(JobKeys(job_id).meta, mapping={"tenant": tenant, "status": "queued"})


async def listed(
    redis: RedisClient, limit: int, before: Place | None, wanted: JobFilter
) -> tuple[list[str], Place | None]:
    jobs, place = await JobListing(redis).page(limit, before, wanted)
    return [job_id for job_id, _ in jobs], place


async def pages(redis: RedisClient, limit: int, wanted: JobFilter = EVERYTHING) -> list[list[str]]:
    """All pages to the last; each goes on from the token of the one before."""
    found: list[list[str]] = []
    place: Place | None = None
    while True:
        ids, place = await listed(redis, limit, place_of(token_of(place)), wanted)
        found.append(ids)
        if place is None:
            return found


async def test_every_job_is_on_one_page_though_many_were_created_in_the_same_ms(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        for number in range(20):
            await add(redis, 1_000 + number // 12, f"job-{number:02}", "acme")
        everything = [f"job-{number:02}" for number in reversed(range(20))]
        for limit in (1, 3, 7, 20, 50):
            found = await pages(redis, limit)
            assert [job_id for ids in found for job_id in ids] == everything, limit
            assert all(len(ids) == limit for ids in found[:-1])


async def test_a_page_is_full_of_jobs_that_are_shown(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_CHUNK", 7)
    async with open_redis(redis_url) as redis:
        for number in range(60):
            await add(redis, 1_000 + number // 3, f"job-{number:02}", "acme" if number % 10 == 0 else "other")
        found = await pages(redis, 2, JobFilter(Shown("acme")))
        assert found[:3] == [["job-50", "job-40"], ["job-30", "job-20"], ["job-10", "job-00"]]
        assert await pages(redis, 5, JobFilter(Shown("nobody"))) == [[]]


async def test_a_search_that_finds_little_ends_and_can_go_on(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_CHUNK", 5)
    monkeypatch.setattr(listing, "_LOOKED_AT", 20)
    async with open_redis(redis_url) as redis:
        for number in range(60):
            await add(redis, 1_000 + number, f"job-{number:02}", "acme" if number == 3 else "other")
        found = await pages(redis, 5, JobFilter(Shown("acme")))
        assert len(found) in (3, 4)
        assert [job_id for ids in found for job_id in ids] == ["job-03"]


async def test_a_job_that_has_expired_leaves_the_list(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        for number in range(5):
            await add(redis, 1_000 + number, f"job-{number}", "acme")
        await redis.delete(JobKeys("job-3").meta)
        assert (await listed(redis, 3, None, EVERYTHING))[0] == ["job-4", "job-2", "job-1"]
        assert await redis.zcard(INDEX) == 4


@pytest.fixture
def cluster_url(tmp_path: Path) -> Iterator[str]:
    with cluster(tmp_path) as nodes:
        yield nodes.url


async def test_the_jobs_of_a_cluster(cluster_url: str) -> None:
    async with open_redis(cluster_url) as redis:
        for number in range(9):
            await add(redis, 1_000, f"job-{number}", "acme" if number % 2 else "other")
        found = await pages(redis, 2, JobFilter(Shown("acme")))
        assert found == [["job-7", "job-5"], ["job-3", "job-1"], []]


@pytest.mark.parametrize("token", ["x", "-1", "12x-job", "٣-job", "9" * 16])
def test_a_token_that_no_page_gave(token: str) -> None:
    with pytest.raises(InvalidRequest, match="page_token: .* is not one that a page before gave"):
        place_of(token)


def test_a_token_of_a_server_before() -> None:
    assert place_of("1000") == (1000, "")
