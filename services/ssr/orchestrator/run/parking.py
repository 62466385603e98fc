"""Calls that wait for an engine pool without a ready replica: which jobs make them, and since when."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ssr.engines.load import Pool

_log = logging.getLogger(__name__)


class Parking:
    """The parked calls of one orchestrator; the log says when a pool's first call parks and when its last goes on."""

    def __init__(self) -> None:
        self._of_pool = dict.fromkeys(Pool, 0)
        self._of_job: dict[str, Counter[Pool]] = {}
        self._changed = asyncio.Event()

    @property
    def calls(self) -> Mapping[Pool, int]:
        """Parked calls by pool."""
        return self._of_pool

    def waits_for(self, job_id: str) -> tuple[Pool, ...]:
        """The pools that a job's paths wait for."""
        parked = self._of_job.get(job_id, Counter())
        return tuple(pool for pool in Pool if parked[pool])

    async def changed(self, job_id: str, seen: tuple[Pool, ...]) -> tuple[Pool, ...]:
        """The pools that a job's paths wait for, once they are others than those `seen`."""
        while (pools := self.waits_for(job_id)) == seen:
            await self._changed.wait()
        return pools

    @contextmanager
    def parked(self, job_id: str, pool: Pool) -> Iterator[None]:
        """A call of the job waits for an engine of `pool` while the block runs."""
        if not self._of_pool[pool]:
            _log.warning("the %s pool has no ready engine: paths wait for one, their step timeouts too", pool)
        self._of_pool[pool] += 1
        job = self._of_job.setdefault(job_id, Counter())
        job[pool] += 1
        self._wake()
        try:
            yield
        finally:
            self._of_pool[pool] -= 1
            job[pool] -= 1
            if not any(job.values()):
                self._of_job.pop(job_id, None)
            self._wake()
            if not self._of_pool[pool]:
                _log.info("no path waits for an engine of the %s pool any more", pool)

    def _wake(self) -> None:
        self._changed.set()  # those who wait now look; the next ones wait for the next change
        self._changed = asyncio.Event()
