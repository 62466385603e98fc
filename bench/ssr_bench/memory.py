"""Memory under load: what each part grows by, and what a job takes in Redis. The arithmetic is pure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ssr_bench.process_tree import ProcessUsage
from ssr_bench.statistics import Summary, share

_SAMPLE_S = 0.25


@dataclass(frozen=True, slots=True)
class RedisSample:
    """Redis's used memory at a moment, with the jobs that were unfinished and finished then."""

    used_bytes: int
    running: int
    finished: int


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """`part_bytes_per_job`: what a part's resident memory grew by at most, divided by the running jobs.

    It is an upper bound, and only means something with many jobs: whatever else a part set up meanwhile is in it.
    Redis keeps a finished job for its retention time.
    """

    part_bytes_per_job: Mapping[str, float]
    redis_bytes_per_running_job: float
    redis_bytes_per_finished_job: float


class MemoryWatch:
    """Samples while a load runs. `read_parts` and `read_redis` take the measurements."""

    def __init__(
        self, read_parts: Callable[[], Mapping[str, ProcessUsage]], read_redis: Callable[[], Awaitable[RedisSample]]
    ) -> None:
        self._read_parts, self._read_redis = read_parts, read_redis
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._redis: list[RedisSample] = []

    async def begin(self) -> None:
        """Before any job runs."""
        self._before = {name: usage.rss_bytes for name, usage in self._read_parts().items()}
        self._peak = dict(self._before)
        self._redis = [await self._read_redis()]

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(_SAMPLE_S)
            for name, usage in self._read_parts().items():
                self._peak[name] = max(self._peak[name], usage.rss_bytes)
            self._redis.append(await self._read_redis())

    async def end(self, jobs: int) -> MemoryFigures:
        """After all jobs have finished, of which `jobs` ran at a time."""
        self._redis.append(await self._read_redis())
        growth = {name: share(peak - self._before[name], jobs) for name, peak in self._peak.items()}
        return MemoryFigures(growth, *redis_bytes_per_job(self._redis))


def redis_bytes_per_job(samples: Sequence[RedisSample]) -> tuple[float, float]:
    """Bytes of a running and of a finished job.

    The first and last sample are taken with no job running: their difference is what the jobs finished in between
    left. What is used beyond that in the samples between them is the running jobs'; the median of those counts.
    """
    first, last = samples[0], samples[-1]
    finished = share(last.used_bytes - first.used_bytes, last.finished - first.finished)
    running = [
        (one.used_bytes - first.used_bytes - finished * (one.finished - first.finished)) / one.running
        for one in samples[1:-1]
        if one.running
    ]
    return Summary.of(running).p50, finished
