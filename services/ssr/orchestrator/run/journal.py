"""The journal of a run, in Redis: core.solve writes through it and nothing else of a run is kept."""

from __future__ import annotations

from ssr.core.run import Decision, Run
from ssr.orchestrator.queue.job_store import Claim, JobStore
from ssr.runtime.redis.patience import patiently


class RedisJournal:
    """Implements `core.journal.Journal` for the owner of a job. While Redis is away, the run waits."""

    def __init__(self, store: JobStore, claim: Claim) -> None:
        self._store, self._claim = store, claim

    async def load(self) -> Run:
        return await patiently(self._claim.job_id, lambda: self._store.run(self._claim.job_id))

    async def append(self, decision: Decision) -> None:
        """Raises: StaleOwner when the job has a newer owner."""
        await patiently(self._claim.job_id, lambda: self._store.append(self._claim, decision))
