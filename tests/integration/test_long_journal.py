"""A job with thousands of steps: reading it is right, and leaves the loop to others."""

from __future__ import annotations

import asyncio
import time

from ssr.core.job import Happening, JobRequest, Started
from ssr.core.run import Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Options, Source, Step
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.keys import JobKeys
from ssr.orchestrator.queue.stored_job import payload_of
from ssr.runtime.redis.client import open_redis

STEPS = 4_000
TEXT = "So the number of pears is 3 + 5, which is 8; each of them has as many seeds as before. " * 10


async def test_folding_a_long_journal_does_not_block_the_loop(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        store = JobStore(redis, lambda: 1_000, retention_s=60)
        await store.create("job-long", JobRequest("1 + 1", Options()), "t", "f", 1)
        happenings: list[Happening] = [Started(1), Selected((NO_STRATEGY,) * 16)]
        steps = [StepCommitted(n % 16, Step(n // 16, TEXT, Source.DRAFT, 20, 8.0)) for n in range(STEPS)]
        async with redis.pipeline(transaction=False) as pipe:
            for happening in (*happenings, *steps):
                pipe.xadd(JobKeys("job-long").events, {"e": payload_of(happening)})
            await pipe.execute()
        longest, last, done = 0.0, time.perf_counter(), False

        async def beat() -> None:
            nonlocal longest, last
            while not done:
                await asyncio.sleep(0)
                now = time.perf_counter()
                longest, last = max(longest, now - last), now

        async with asyncio.TaskGroup() as group:
            group.create_task(beat())
            began = time.perf_counter()
            job = await store.get("job-long")
            took = time.perf_counter() - began
            done = True
        assert sum(len(path.steps) for path in job.paths) == STEPS
        assert job.paths[3].steps[-1].text == TEXT
        assert longest < took / 4, f"{longest:.3f} s of {took:.3f} s in one piece"
