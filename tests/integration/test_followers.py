"""Following a job over a real Redis: in the process that runs it, and in another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hang_limit import LIMIT_S

from ssr.core.job import Job, JobRequest, JobStatus, Started
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Options, PathStatus, Source, Step
from ssr.orchestrator.api.watch import follow
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.job_store import Claim, JobStore
from ssr.orchestrator.queue.wakeups import running_wakeups
from ssr.runtime.redis.client import open_redis
from ssr.v1 import reasoning_pb2

JOB = "job-followed"
STEPS = 40


class CountingStore(JobStore):
    """`looks` counts how often events were read."""

    looks = 0

    async def events(self, job_id: str, cursor: str) -> list[reasoning_pb2.Event]:
        self.looks += 1
        return await super().events(job_id, cursor)


@dataclass
class Replica:
    """One process, as far as jobs and their followers go."""

    store: CountingStore
    followers: Followers
    seen: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self) -> None:
        async for event in follow(self.store, self.followers, JOB):
            self.seen.append(event.cursor)
            self.news.set()

    async def until(self, count: int) -> None:
        while len(self.seen) < count:
            self.news.clear()
            await self.news.wait()


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Replica]:
    async with open_redis(url) as redis, running_wakeups(redis) as wakeups:
        followers = Followers(wakeups)
        yield Replica(CountingStore(redis, lambda: 1_000_000, retention_s=60, followers=followers), followers)


async def claimed(store: JobStore, owner: str) -> Claim:
    claim = await store.claim(JOB, owner, "1-1")
    assert claim is not None
    return claim


def step(index: int, path: int = 0) -> StepCommitted:
    return StepCommitted(path, Step(index, f"Step {index}.", Source.DRAFT, 5))


async def test_every_follower_sees_all_in_order_and_the_owners_reads_nothing_again(redis_url: str) -> None:
    async with asyncio.timeout(LIMIT_S), replica(redis_url) as owner, replica(redis_url) as other:
        await owner.store.create(JOB, JobRequest("1 + 1", Options(paths=1)), "t", "f", 1)
        claim = await claimed(owner.store, "one")
        async with asyncio.TaskGroup() as group:
            group.create_task(owner.follow())
            group.create_task(other.follow())
            await owner.until(1)
            await owner.store.append(claim, Started(claim.epoch))
            await owner.store.append(claim, Selected((NO_STRATEGY,)))
            for index in range(STEPS):
                await owner.store.append(claim, step(index))
                await owner.until(4 + index - 1)
            await owner.store.append(claim, step(STEPS - 1))  # a retry after a lost reply
            await owner.store.append(claim, PathEnded(0, PathStatus.STOPPED))
            job = Job(JOB, JobStatus.NO_ANSWER, "1 + 1", Options(paths=1))
            await owner.store.finish(claim, job)
        written = [event.cursor for event in await owner.store.events(JOB, "")]
        assert len(written) == STEPS + 5
        assert owner.seen == other.seen == written
        assert owner.store.looks <= 6, "its own events were read from Redis"


async def test_a_follower_goes_on_when_its_job_moves_to_another_process(redis_url: str) -> None:
    async with asyncio.timeout(LIMIT_S), replica(redis_url) as first, replica(redis_url) as second:
        await first.store.create(JOB, JobRequest("1 + 1", Options(paths=1)), "t", "f", 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(first.follow())
            group.create_task(second.follow())
            await first.until(1)
            for taken, store in enumerate((first.store, second.store, first.store)):
                claim = await claimed(store, f"owner-{taken}")
                await store.append(claim, Started(claim.epoch))
                if not taken:
                    await store.append(claim, Selected((NO_STRATEGY,)))
                for index in range(taken * 10, taken * 10 + 10):
                    await store.append(claim, step(index))
            await first.until(35)
            await first.store.finish(claim, Job(JOB, JobStatus.NO_ANSWER, "1 + 1", Options(paths=1)))
        written = [event.cursor for event in await first.store.events(JOB, "")]
        assert len(written) == 36
        assert first.seen == second.seen == written


async def test_paths_that_append_at_once_are_followed_in_their_order(redis_url: str) -> None:
    async with asyncio.timeout(LIMIT_S), replica(redis_url) as owner:
        await owner.store.create(JOB, JobRequest("1 + 1", Options(paths=16)), "t", "f", 1)
        claim = await claimed(owner.store, "one")
        async with asyncio.TaskGroup() as group:
            group.create_task(owner.follow())
            await owner.store.append(claim, Selected((NO_STRATEGY,) * 16))

            async def grow(path: int) -> None:
                for index in range(10):
                    await owner.store.append(claim, step(index, path))

            await asyncio.gather(*(grow(path) for path in range(16)))
            await owner.store.finish(claim, Job(JOB, JobStatus.NO_ANSWER, "1 + 1", Options(paths=16)))
        assert owner.seen == [event.cursor for event in await owner.store.events(JOB, "")]
