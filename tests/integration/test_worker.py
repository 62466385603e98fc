"""A worker on a real queue, with a runner that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hang_limit import LIMIT_S
from redis.asyncio import Redis

from ssr.core.job import Priority
from ssr.orchestrator.queue.job_queue import Arriving, JobQueue, QueuedJob, QueueLimits
from ssr.orchestrator.queue.wakeups import Wakeups
from ssr.orchestrator.run.capacity import Capacity
from ssr.orchestrator.run.runner import Fate
from ssr.orchestrator.run.worker import QueueWorker
from ssr.runtime.redis.client import open_redis

LIMITS = QueueLimits(100)


class Stubborn:
    """A runner whose jobs neither end nor reach a step boundary."""

    drain_s = 0.01

    def __init__(self) -> None:
        self.leaving, self.handing_back = asyncio.Event(), asyncio.Event()
        self.running: list[str] = []
        self.began = asyncio.Event()

    async def run(self, entry: QueuedJob) -> Fate:
        self.running.append(entry.job_id)
        self.began.set()
        await asyncio.Event().wait()
        return Fate.ENDED


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client, asyncio.timeout(LIMIT_S):
        yield client


async def put(queue: JobQueue, job_id: str, paths: int = 1) -> None:
    await queue.enqueue([Arriving(job_id, Priority.INTERACTIVE, paths)], "t", now_ms=1, oldest_ms=0)


async def test_a_worker_that_leaves_does_not_wait_for_jobs_that_are_stuck(redis: Redis) -> None:
    """They wait for a Redis that does not come back, say. Others go on with them at once."""
    queue, runner = JobQueue(redis, "leaving", LIMITS), Stubborn()
    worker = QueueWorker(queue, runner, Wakeups(), Capacity(64, 64), lease_s=60)  # type: ignore[arg-type]
    await put(queue, "stuck")
    working = asyncio.create_task(worker.work())
    await runner.began.wait()
    await worker.leave()
    await working
    assert runner.handing_back.is_set()  # its jobs were asked to stop before they were cut off
    entry = await JobQueue(redis, "heir", LIMITS).take_over((Priority.INTERACTIVE,), 60_000)
    assert entry is not None
    assert entry.job_id == "stuck"


async def test_a_worker_takes_no_more_than_it_has_room_for(redis: Redis) -> None:
    queue, runner = JobQueue(redis, "one", LIMITS), Stubborn()
    worker = QueueWorker(queue, runner, Wakeups(), Capacity(40, 40), lease_s=60)  # type: ignore[arg-type]
    for number in range(5):
        await put(queue, f"job-{number}", paths=10)
    working = asyncio.create_task(worker.work())
    while len(runner.running) < 3:
        await asyncio.sleep(0)
    left = [await JobQueue(redis, "other", LIMITS).take((Priority.INTERACTIVE,)) for _ in range(3)]
    assert [entry and entry.job_id for entry in left] == ["job-3", "job-4", None]
    working.cancel()
    await asyncio.wait([working])
