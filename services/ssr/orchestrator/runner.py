"""One job, from the claim to its result."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from ssr.core.errors import SsrError, StaleOwner
from ssr.core.job import Job, JobStatus, Started
from ssr.core.solve import Crew, LimitReached, Outcome, conclude, solve
from ssr.core.types import Options
from ssr.core.vote import Vote
from ssr.orchestrator.journal import RedisJournal
from ssr.orchestrator.notices import CANCEL, Notices
from ssr.orchestrator.patience import briefly, patiently
from ssr.orchestrator.store import Claim, Clock, JobStore
from ssr.rpc.wire import options_from_wire

_log = logging.getLogger(__name__)

#: How often a runner looks for a cancellation whose notice was lost.
_LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class _End:
    """How a job ends."""

    status: JobStatus
    votes: tuple[Vote, ...] = ()
    error: str = ""
    reason: str = ""


class Runner:
    """Runs jobs, any number at a time."""

    def __init__(
        self, store: JobStore, notices: Notices, crew: Crew, now: Clock, *, replica: str, max_takeovers: int
    ) -> None:
        self._store, self._notices, self._crew, self._now = store, notices, crew, now
        self._replica, self._max_takeovers = replica, max_takeovers

    async def run(self, job_id: str) -> bool:
        """Claim the job and bring it to its end; False when it went on to another owner before that.

        Raises: Unavailable when Redis cannot be reached: the job stays as it is, for whoever claims it next.
        Cancelling hands it back behind its last committed step.
        """
        claim = await self._store.claim(job_id, self._replica)
        if claim is None:
            return True
        try:
            return await self._own(claim)
        except asyncio.CancelledError:
            await briefly(self._store.release(claim))
            raise

    async def _own(self, claim: Claim) -> bool:
        """Everything that a job's owner does; whether it still was the owner in the end."""
        job_id, owned = claim.job_id, True
        try:
            await patiently(job_id, lambda: self._store.append(claim, Started(claim.epoch)))
            options = options_from_wire(claim.options_wire, 0)
            end = await self._until_cancelled(claim, options)
            run = await patiently(job_id, lambda: self._store.run(job_id))
            job = replace(
                Job(job_id, end.status, claim.problem, options, votes=end.votes, error=end.error, reason=end.reason),
                answer=end.votes[0].answer if end.votes else "",
                paths=run.paths,
                usage=run.ledger.usage(),
            )
            await patiently(job_id, lambda: self._store.finish(claim, job))
        except* StaleOwner:
            _log.info("job %s went on to a newer owner", job_id)
            owned = False
        return owned

    async def _until_cancelled(self, claim: Claim, options: Options) -> _End:
        """Solve, or stop as soon as the job's end is wanted."""
        if claim.cancelled:
            return _End(JobStatus.CANCELLED)
        if claim.takeovers >= self._max_takeovers:
            return _End(JobStatus.FAILED, error=f"given up: {claim.takeovers} replicas died or hung while they ran it")
        async with asyncio.TaskGroup() as group:
            solving = group.create_task(self._solve(claim, options), name=f"{claim.job_id}/solve")
            watching = group.create_task(self._cancel_wanted(claim.job_id), name=f"{claim.job_id}/cancel")
            await asyncio.wait({solving, watching}, return_when=asyncio.FIRST_COMPLETED)
            watching.cancel()
            if not solving.done():
                solving.cancel()
        return _End(JobStatus.CANCELLED) if solving.cancelled() else solving.result()

    async def _solve(self, claim: Claim, options: Options) -> _End:
        journal = RedisJournal(self._store, claim)
        try:
            async with asyncio.timeout(self._time_left_s(claim, options)):
                return _end_of(await solve(claim.job_id, claim.problem, options, self._crew, journal))
        except TimeoutError:
            reason = f"the deadline of {options.deadline_s:g} s has passed"
        except LimitReached as limit:
            reason = str(limit)
        except StaleOwner:
            raise
        except SsrError as error:
            _log.warning("job %s failed: %s", claim.job_id, error)
            return _End(JobStatus.FAILED, error=str(error))
        outcome = await conclude(self._crew, journal, reason)
        return _End(JobStatus.PARTIAL, outcome.votes, reason=reason)

    def _time_left_s(self, claim: Claim, options: Options) -> float | None:
        if options.deadline_s is None:
            return None
        return max(0.0, options.deadline_s - (self._now() - claim.created_ms) / 1000)

    async def _cancel_wanted(self, job_id: str) -> None:
        with self._notices.of(CANCEL, job_id) as notice:
            while not await patiently(job_id, lambda: self._store.cancel_wanted(job_id)):
                notice.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(notice.wait(), _LOOK_S)


def _end_of(outcome: Outcome) -> _End:
    if outcome.votes:
        return _End(JobStatus.ANSWERED, outcome.votes)
    if outcome.error:
        return _End(JobStatus.FAILED, error=outcome.error)
    return _End(JobStatus.NO_ANSWER)
