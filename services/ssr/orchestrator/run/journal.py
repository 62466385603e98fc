"""The journal of a run: in Redis, where nothing else of a run is kept, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable

from ssr.core.job import Priority
from ssr.core.journal import Journal
from ssr.core.run import Decision, PathEnded, Run, Selected, StepCommitted
from ssr.core.types import Options, PathStatus
from ssr.orchestrator.metrics.job_records import JobRecords
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


class RecordedJournal:
    """Implements `core.journal.Journal`: counts what has become durable in `journal`.

    `age_s` gives the job's age, since it was submitted.
    """

    def __init__(
        self, journal: Journal, watch: JobRecords, options: Options, priority: Priority, age_s: Callable[[], float]
    ) -> None:
        self._journal, self._watch, self._options, self._age_s = journal, watch, options, age_s
        self._priority = priority
        self._none_yet = self._unanswered = False
        self._began = self._wave_began = time.perf_counter()
        self._last: dict[int, float] = {}

    async def load(self) -> Run:
        run = await self._journal.load()
        self._none_yet = not run.committed_steps
        self._unanswered = not any(path.status is PathStatus.ANSWERED for path in run.paths)
        self._began = self._wave_began = time.perf_counter()
        return run

    async def append(self, decision: Decision) -> None:
        await self._journal.append(decision)
        if isinstance(decision, StepCommitted):
            now = time.perf_counter()
            began = self._began if decision.path < self._options.waves[0] else self._wave_began
            self._watch.steps.committed(self._options.mode, decision, now - self._last.get(decision.path, began))
            self._last[decision.path] = now
            if self._none_yet:
                self._none_yet = False
                self._watch.jobs.first_step(self._options.mode, self._age_s())
        elif isinstance(decision, Selected):
            self._watch.steps.selected(decision)
            self._began = self._wave_began = time.perf_counter()
        elif isinstance(decision, PathEnded):
            self._ended(decision)

    def _ended(self, path: PathEnded) -> None:
        if self._unanswered and path.status is PathStatus.ANSWERED:
            self._unanswered = False
            self._watch.jobs.first_answer(self._priority, self._age_s())
        self._watch.steps.ended(path)
        self._wave_began = time.perf_counter()  # of the next wave, if this was the last of this one
