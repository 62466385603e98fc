"""One job, from the claim to its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from ssr.core.errors import LostGround, NotFound, SsrError, StaleOwner
from ssr.core.job import Job, JobStatus, Started
from ssr.core.outcome import Outcome, conclude
from ssr.core.run import Run
from ssr.core.solve import LimitReached, solve
from ssr.core.stages import Stages
from ssr.core.types import Mode, Options, StopRule
from ssr.core.vote import Vote
from ssr.engines.load import Pool
from ssr.orchestrator.calibration import Priors
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.queue.job_queue import QueuedJob
from ssr.orchestrator.queue.job_store import LATE, Claim, Clock, JobStore
from ssr.orchestrator.queue.rates import Rates
from ssr.orchestrator.queue.wakeups import CANCEL, Wakeups
from ssr.orchestrator.run.domain_stages import for_domain
from ssr.orchestrator.run.job_deadline import JobDeadline
from ssr.orchestrator.run.journal import RecordedJournal, RedisJournal
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.stagger import staggered
from ssr.orchestrator.run.step_barrier import StepBarrier
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.redis.patience import briefly, patiently, set_within
from ssr.runtime.telemetry.log_context import about
from ssr.runtime.telemetry.private_texts import private
from ssr.runtime.telemetry.tracing import Span

_log = logging.getLogger(__name__)

#: How often a runner looks for a cancellation whose wake-up was lost.
_LOOK_S = 5.0


class Fate(Enum):
    """What has become of a delivered job here."""

    ENDED = auto()  #: it is finished, now or before
    MOVED = auto()  #: it has a newer owner
    LEFT = auto()  #: it is handed back, for anybody to go on


@dataclass(frozen=True, slots=True)
class _End:
    """How a job ends; `run` is what was decided of it, where this replica knows all of that."""

    status: JobStatus
    votes: tuple[Vote, ...] = ()
    error: str = ""
    reason: str = ""
    run: Run | None = None


class Runner:
    """Runs jobs, any number at a time.

    `handing_back`, while set, has every job handed back at its next step boundary, or after `drain_s` seconds;
    `leaving`, once set, says that this is for good.
    """

    def __init__(
        self,
        store: JobStore,
        wakeups: Wakeups,
        stages: Stages,
        workload: WorkloadEstimate,
        watch: JobRecords,
        now: Clock,
        parking: Parking,
        *,
        replica: str,
        max_takeovers: int,
        drain_s: float,
        stagger_s: float = 0.0,
        stages_of: Callable[[Claim], Stages] | None = None,
        priors: Priors | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._store, self._wakeups, self._now = store, wakeups, now
        self._priors = priors
        self._stages_of = stages_of or (lambda claim: stages)
        self._parking = parking
        self._workload, self._watch = workload, watch
        self._replica, self._max_takeovers, self.drain_s = replica, max_takeovers, drain_s
        self._stagger_s, self._rates = stagger_s, rates
        self.leaving, self.handing_back = asyncio.Event(), asyncio.Event()

    async def run(self, entry: QueuedJob) -> Fate:
        """Claim the job and bring it to its end; what has become of it.

        Raises: Unavailable when Redis cannot be reached: the job stays as it is, for whoever claims it next.
        Cancelling hands it back behind its last committed step.
        """
        with self._wakeups.of(CANCEL, entry.job_id) as cancel_wakeup:
            claim = await self._store.claim(entry.job_id, self._replica, entry.entry_id)
            if claim is None:
                return Fate.ENDED
            options = claim.request.options
            with (
                about(claim.job_id, texts=(claim.request.problem,)),
                self._watch.owned(claim, options, self._age_s(claim)) as span,
            ):
                try:
                    return await self._own(claim, options, cancel_wakeup, span)
                except asyncio.CancelledError:
                    self._watch.jobs.handed_back()
                    await briefly(self._store.release(claim))
                    raise

    async def _own(self, claim: Claim, options: Options, cancel_wakeup: asyncio.Event, span: Span) -> Fate:
        """Everything that a job's owner does."""
        job_id, fate = claim.job_id, Fate.ENDED
        try:
            await patiently(job_id, lambda: self._store.append(claim, Started(claim.epoch)))
            end = await self._end(claim, options, cancel_wakeup)
            if end is None:
                span.set(status="handed_back")
                self._watch.jobs.handed_back()
                await briefly(self._store.release(claim))
                return Fate.LEFT
            job = await patiently(job_id, lambda: self._finished(claim, options, end))
            await patiently(job_id, lambda: self._store.finish(claim, job))
            if self._rates is not None:
                await briefly(self._rates.ended(job, self._now()))
            self._workload.ended(job)
            span.set(status=job.status)
            self._watch.jobs.ended(job.status, options.mode, self._age_s(claim))
            if end.error:
                with private(*(step.text for path in job.paths for step in path.steps)):
                    _log.warning("job %s %s: %s", job_id, end.status, end.error)
        except* StaleOwner:
            fate = Fate.MOVED
            await self._taken_away(job_id, span)
        return fate

    async def _taken_away(self, job_id: str, span: Span) -> None:
        """A job is not this replica's any more: it has a newer owner, or Redis no longer has it."""
        try:
            await patiently(job_id, lambda: self._store.final(job_id))
        except NotFound:
            _log.warning("job %s is lost: Redis no longer has it; was it emptied, or has it dropped keys?", job_id)
            span.set(status="lost")
            self._watch.jobs.lost()
        else:
            _log.info("job %s went on to a newer owner", job_id)
            span.set(status="moved")
            self._watch.jobs.moved()

    async def _finished(self, claim: Claim, options: Options, end: _End) -> Job:
        run = end.run or await self._store.run(claim.job_id)
        return Job(
            claim.job_id,
            end.status,
            claim.request.problem,
            options,
            answer=end.votes[0].answer if end.votes else "",
            votes=end.votes,
            paths=run.paths,
            usage=run.ledger.usage(),
            error=end.error,
            reason=end.reason,
            priority=claim.request.priority,
            tenant=claim.tenant,
            labels=claim.request.labels,
        )

    async def _end(self, claim: Claim, options: Options, cancel_wakeup: asyncio.Event) -> _End | None:
        """How the job ends; None when it is to be handed back."""
        if claim.end_wanted and not claim.end_wanted.startswith(LATE):
            return _End(JobStatus.CANCELLED)
        if claim.takeovers >= self._max_takeovers:
            return _End(JobStatus.PARKED, error=f"parked: {claim.takeovers} replicas died or hung while they ran it")
        if Mode.UNKNOWN is options.mode or StopRule.UNKNOWN is options.stop_rule:
            return _End(JobStatus.FAILED, error="options: this replica does not know the mode or stop rule; update it")
        while True:
            try:
                return await self._solve_or_stop(claim, options, cancel_wakeup)
            except* LostGround as lost:
                _log.warning("%s; going on from what it has", lost.exceptions[0])
                self._watch.jobs.lost_ground()

    async def _solve_or_stop(self, claim: Claim, options: Options, cancel_wakeup: asyncio.Event) -> _End | None:
        """Solve, or stop: as soon as the job's end is wanted, or at a step boundary when this replica leaves."""
        barrier, job_id = StepBarrier(), claim.job_id
        deadline = JobDeadline(claim, options.deadline_s, self._age_s(claim))
        async with asyncio.TaskGroup() as group:
            solving = group.create_task(self._solve(claim, options, barrier, deadline), name=f"{job_id}/solve")
            watching = group.create_task(self._cancel_wanted(job_id, cancel_wakeup, deadline), name=f"{job_id}/cancel")
            leaving = group.create_task(self._left(barrier), name=f"{job_id}/leave")
            showing = group.create_task(self._show_waits(claim), name=f"{job_id}/waits")
            await asyncio.wait({solving, watching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for task in (solving, watching, leaving, showing):
                task.cancel()
        if not solving.cancelled():
            return solving.result()
        return None if watching.cancelled() else _End(JobStatus.CANCELLED)

    async def _solve(self, claim: Claim, options: Options, barrier: StepBarrier, deadline: JobDeadline) -> _End:
        priority = claim.request.priority
        durable = RedisJournal(self._store, claim)
        watched = RecordedJournal(durable, self._watch, options, priority, lambda: self._age_s(claim))
        journal = barrier.journal(watched)
        try:
            of_domain = for_domain(self._stages_of(claim), options, self._priors)
        except SsrError as error:
            return _End(JobStatus.FAILED, error=str(error))
        try:
            async with deadline:
                stages = staggered(barrier.stages(of_domain), self._stagger_s)
                return _end_of(await solve(claim.job_id, claim.request.problem, options, stages, journal))
        except TimeoutError:
            reason = deadline.reason
        except LimitReached as limit:
            reason = str(limit)
        except (StaleOwner, LostGround):
            raise
        except SsrError as error:
            return _End(JobStatus.FAILED, error=str(error))
        outcome = await conclude(claim.job_id, claim.request.problem, options, of_domain, journal, reason)
        return _End(JobStatus.PARTIAL, outcome.votes, reason=reason, run=outcome.run)

    async def _show_waits(self, claim: Claim) -> None:
        """Keep the job's state up to date with the engine pools that its paths wait for."""
        shown: tuple[Pool, ...] = ()
        while True:
            shown = await self._parking.changed(claim.job_id, shown)
            await patiently(claim.job_id, partial(self._store.show_waits, claim, shown))

    def _age_s(self, claim: Claim) -> float:
        """Since the job was submitted."""
        return (self._now() - claim.created_ms) / 1000

    async def _cancel_wanted(self, job_id: str, wakeup: asyncio.Event, deadline: JobDeadline) -> None:
        """Wait until the job's end without an answer is wanted; where an answer is, its deadline passes."""
        late = False
        while True:
            await set_within(wakeup, _LOOK_S)
            wakeup.clear()
            wanted = await patiently(job_id, lambda: self._store.end_wanted(job_id))
            if wanted and not wanted.startswith(LATE):
                return
            if wanted and not late:
                deadline.pass_now(wanted)
                late = True

    async def _left(self, barrier: StepBarrier) -> None:
        """Wait until this replica leaves and the run stands at a step boundary, or has been given its time for that."""
        await self.handing_back.wait()
        with suppress(TimeoutError):
            await barrier.close(self.drain_s)


def _end_of(outcome: Outcome) -> _End:
    if outcome.votes:
        return _End(JobStatus.ANSWERED, outcome.votes, run=outcome.run)
    if outcome.error:
        return _End(JobStatus.FAILED, error=outcome.error, run=outcome.run)
    return _End(JobStatus.NO_ANSWER, run=outcome.run)
