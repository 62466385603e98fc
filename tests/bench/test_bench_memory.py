from __future__ import annotations

import asyncio

import pytest

from ssr_bench.memory import MemoryFigures, MemoryWatch, RedisSample, redis_bytes_per_job
from ssr_bench.process_tree import ProcessUsage


def test_what_is_left_is_the_finished_jobs_and_the_rest_the_running_ones() -> None:
    # 10 jobs finished and left 1,000 bytes: 100 each. Then 4 running jobs held 1,240 - 1,000 - 2 x 100 = 40.
    samples = [RedisSample(1_000, 0, 0), RedisSample(1_240, 4, 2), RedisSample(2_000, 0, 10)]
    assert redis_bytes_per_job(samples) == (10.0, 100.0)


def test_without_any_job_nothing_is_reported() -> None:
    assert redis_bytes_per_job([RedisSample(1_000, 0, 0), RedisSample(1_000, 0, 0)]) == (0.0, 0.0)


async def test_growth_is_that_of_the_peak_and_a_jobs_share_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr_bench.memory._SAMPLE_S", 0)
    resident, enough = iter((500, 700, 1_300, 600)), asyncio.Event()

    def parts() -> dict[str, ProcessUsage]:
        return {"drafter": ProcessUsage(0.0, next(resident, 600))}

    async def redis() -> RedisSample:
        samples.append(None)
        if len(samples) > 4:
            enough.set()
        return RedisSample(0, 0, 0)

    samples: list[None] = []
    watch = MemoryWatch(parts, redis)
    await watch.begin()
    watching = asyncio.create_task(watch.watch())
    await enough.wait()
    watching.cancel()
    await asyncio.wait([watching])
    assert await watch.end(jobs=4) == MemoryFigures({"drafter": 200.0}, 0.0, 0.0)
