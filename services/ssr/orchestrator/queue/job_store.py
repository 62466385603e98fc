"""Jobs in Redis: every transition of a job. The keys are in keys.py, the transitions in scripts/job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ssr.core.errors import BadReply, Conflict, LostGround, StaleOwner
from ssr.core.job import Finished, Job, JobRequest, JobStatus, Queued, Started
from ssr.core.run import Decision, PathEnded, Selected, StepCommitted
from ssr.core.types import PathStatus
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.identifiers import no_job
from ssr.orchestrator.queue.job_reader import JobReader
from ssr.orchestrator.queue.keys import WAKEUPS, JobKeys
from ssr.orchestrator.queue.stored_job import fingerprint_of, payload_of
from ssr.orchestrator.queue.wakeups import Wakeups
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors
from ssr.runtime.rpc.event_wire import happening_from_wire
from ssr.runtime.rpc.job_wire import job_to_wire, request_from_wire, request_to_wire
from ssr.v1 import reasoning_pb2

#: A job whose caller died between creating and queueing it is forgotten after so many seconds.
_UNQUEUED_S = 600

#: Waiters of a replica that died are forgotten after so many seconds, and so long after their deadline at the latest.
_WAITERS_S = 7 * 24 * 3600
_OVERDUE_MS = 60_000

#: Ways to ask for a job's end: all who waited for it have left; or, before a reason, their deadlines have passed.
LEFT, LATE = "left", "late "

#: Jobs that can be queued again, and the ends of paths that are then taken back.
_REQUEUED = (JobStatus.FAILED, JobStatus.PARKED, JobStatus.QUEUED)
_UNDONE = (PathStatus.FAILED, PathStatus.STOPPED)

#: Milliseconds since 1970; injected so that tests own the clock.
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica's right to write a job, until somebody claims it again.

    `end_wanted`: how its end is asked for already, as `JobStore.end_wanted`. `takeovers`: how many owners lost it
    without handing it back, the last one too if it is `taken_over`. `traceparent`: its trace, "" for none.
    """

    job_id: str
    epoch: int
    request: JobRequest
    tenant: str
    end_wanted: str = ""
    takeovers: int = 0
    created_ms: int = 0
    taken_over: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A caller that waits for a job; `deadline_ms` since 1970, None for none."""

    name: str
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What `JobStore.create` found. `left`: a job that ends, as its callers have left; `latest` as in `redirect`."""

    new: bool
    left: bool = False
    latest: int = 0


class JobStore(JobReader):
    """Reads and writes jobs; `followers` of a job get what is appended to it here.

    Every method raises Unavailable while Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient, now: Clock, *, retention_s: int, followers: Followers | None = None) -> None:
        super().__init__(redis)
        self._now, self._retention_s = now, retention_s
        self._followers = followers or Followers(Wakeups())
        self._create = Script(redis, "orchestrator/queue/scripts/job/create")
        self._keep = Script(redis, "orchestrator/queue/scripts/job/keep")
        self._claim = Script(redis, "orchestrator/queue/scripts/job/claim")
        self._append = Script(redis, "orchestrator/queue/scripts/job/append")
        self._finish = Script(redis, "orchestrator/queue/scripts/job/finish")
        self._cancel = Script(redis, "orchestrator/queue/scripts/job/cancel")
        self._leave = Script(redis, "orchestrator/queue/scripts/job/leave")
        self._redirect = Script(redis, "orchestrator/queue/scripts/job/redirect")
        self._release = Script(redis, "orchestrator/queue/scripts/job/release")
        self._requeue = Script(redis, "orchestrator/queue/scripts/job/requeue")
        self._waits = Script(redis, "orchestrator/queue/scripts/job/waits")

    async def create(
        self,
        job_id: str,
        request: JobRequest,
        tenant: str,
        fingerprint: str,
        now_ms: int,
        traceparent: str = "",
        *,
        waiter: Waiter | None = None,
    ) -> Made:
        """Store a job, or join the one there is; once, however often it is called. It is forgotten unless it is kept.

        `fingerprint` is that of the request as it came; with every default filled in it is the same request too.
        Without a waiter the job is submitted: nobody who leaves it ends it.

        Raises: Conflict when the id belongs to another request.
        """
        who = ("", "") if waiter is None else (waiter.name, "" if waiter.deadline_ms is None else waiter.deadline_ms)
        message = request_to_wire(request)
        sent, queued = message.SerializeToString(), payload_of(Queued())
        if not request.seeded:
            message.options.ClearField("seed")
        same = fingerprint_of(message)
        arguments = [fingerprint, sent, tenant, now_ms, queued, _UNQUEUED_S, traceparent, same, *who, _WAITERS_S]
        made, *latest = await self._create(JobKeys(job_id).all, arguments)
        if made == b"conflict":
            raise Conflict("idempotency_key: was used for another request; choose a new one")
        return Made(new=made == b"created", left=made == b"left", latest=int(latest[0]) if latest else 0)

    async def redirect(self, job_id: str, attempt: int) -> None:
        """The request of a job that was left is now made by another attempt."""
        await self._redirect(JobKeys(job_id).both, [attempt, 2 * self._retention_s])

    async def leave(self, job_id: str, waiter: str, why: str) -> bool:
        """A caller does not wait any more; whether that asks for the job's end, as LEFT or LATE says.

        Raises: NotFound.
        """
        over_ms = self._now() - _OVERDUE_MS
        reply = await self._leave(JobKeys(job_id).all, [WAKEUPS, job_id, waiter, why, over_ms])
        if reply is None:
            raise no_job(job_id)
        return bool(reply == b"ending")

    async def keep(self, job_id: str) -> None:
        """The job is in the queue: do not forget it."""
        await self._keep(JobKeys(job_id).both, [])

    async def claim(self, job_id: str, owner: str, entry_id: str) -> Claim | None:
        """Become the job's owner; None when it is finished or gone, or when another queue entry is its own."""
        claimed = await self._claim(JobKeys(job_id).both, [owner, self._now(), entry_id])
        if claimed is None:
            return None
        epoch, request, cancel, takeovers, created, tenant, taken_over, traceparent = claimed
        return Claim(
            job_id,
            epoch,
            request_from_wire(reasoning_pb2.SolveRequest.FromString(request)),
            tenant.decode(),
            cancel.decode(),
            takeovers,
            int(created),
            bool(taken_over),
            traceparent.decode(),
        )

    async def release(self, claim: Claim) -> None:
        """Hand the job back, to be claimed by anybody. Nothing happens when it has a newer owner or is finished."""
        await self._release(JobKeys(claim.job_id).both, [claim.epoch])

    async def append(self, claim: Claim, happening: Started | Decision) -> None:
        """Commit a decision and report it, or report the claim; once, however often it is called.

        Raises: StaleOwner when the job has a newer owner or is finished; LostGround when Redis lacks a decision that
        this one follows from.
        """
        place: tuple[str | int, ...]
        match happening:
            case Started():
                place = ("claim",)
            case StepCommitted(path, step):
                place = ("step", path, step.index)
            case Selected():
                place = ("once", "selected")
            case PathEnded(path):
                place = ("once", f"end:{path}")
        payload = payload_of(happening)
        with self._followers.appending(claim.job_id) as hand_over:
            reply = await self._append(
                JobKeys(claim.job_id).both, [claim.epoch, WAKEUPS, claim.job_id, payload, *place]
            )
            if isinstance(reply, list):
                before, cursor = reply
                hand_over(before.decode(), cursor.decode(), payload)
                return
        _check_written(reply, claim.job_id)

    async def show_waits(self, claim: Claim, pools: Sequence[str]) -> None:
        """Show the engine pools that the job's paths wait for; nothing happens when it has a newer owner or is over."""
        await self._waits(JobKeys(claim.job_id).both, [claim.epoch, " ".join(pools)])

    async def finish(self, claim: Claim, job: Job) -> None:
        """End the job with this result.

        Raises: StaleOwner when the job has a newer owner or is finished.
        """
        now = self._now()
        final = replace(job, finished=datetime.fromtimestamp(now / 1000, UTC))
        reply = await self._finish(
            JobKeys(claim.job_id).all,
            [
                claim.epoch,
                WAKEUPS,
                claim.job_id,
                payload_of(Finished(final)),
                str(final.status),
                job_to_wire(final, steps=False).SerializeToString(),
                now,
                self._retention_s,
            ],
        )
        _check_written(reply, claim.job_id)

    async def cancel(self, job_id: str) -> None:
        """Ask for a job's end; its owner, if it has one, ends it. Raises: NotFound."""
        reply = await self._cancel(JobKeys(job_id).both, [WAKEUPS, job_id])
        if reply is None:
            raise no_job(job_id)

    async def end_queued(self, job_id: str, status: JobStatus, reason: str = "") -> Job | None:
        """End a job here and now; None when somebody has claimed it: then its owner ends it.

        Raises: NotFound.
        """
        with redis_errors():
            epoch = await self._redis.hget(JobKeys(job_id).meta, "epoch")
        job = await self.get(job_id)
        if job.status is not JobStatus.QUEUED:
            return None
        claim = Claim(job_id, int(epoch), JobRequest(job.problem, job.options, job.priority), job.tenant)
        try:
            await self.finish(claim, replace(job, status=status, reason=reason))
        except StaleOwner:
            return None
        return job

    async def requeue(self, job_id: str) -> Job:
        """Take back the end of a job that failed or was parked; its committed steps stay, its failed paths go on.

        It still has to be queued. A queued job stays as it is. Raises: NotFound; Conflict for any other job.
        """
        with redis_errors():
            epoch = await self._redis.hget(JobKeys(job_id).meta, "epoch")
        job, entries = await self.get(job_id), await self._entries_to_take_back(job_id)
        fields = ["result", "finished", "cancel", "entry", *(field for _, field in entries if field)]
        places = [epoch or "", len(fields), *fields, *(entry_id for entry_id, _ in entries)]
        if job.status not in _REQUEUED or await self._requeue(JobKeys(job_id).both, places) != b"ok":
            raise Conflict(f"job_id: the job is {job.status}; only one that failed or was parked can be queued again")
        return job

    async def _entries_to_take_back(self, job_id: str) -> list[tuple[str, str]]:
        """The events of a job's end and of paths that failed or were stopped; and their fields in meta, "" for none."""
        found: list[tuple[str, str]] = []
        cursor = ""
        while events := await self.events(job_id, cursor):
            for event in events:
                happening = happening_from_wire(event)
                if isinstance(happening, Finished):
                    found.append((event.cursor, ""))
                elif isinstance(happening, PathEnded) and happening.status in _UNDONE:
                    found.append((event.cursor, f"end:{happening.path}"))
            cursor = events[-1].cursor
        return found

    async def delete(self, job_id: str) -> None:
        """Forget a job that has ended, and all that was kept of it."""
        with redis_errors():
            await self._redis.delete(*JobKeys(job_id).all)
        await self._listing.forget([job_id])


def _check_written(reply: bytes, job_id: str) -> None:
    if reply == b"stale":
        raise StaleOwner(f"job {job_id} has a newer owner or is finished")
    if reply == b"gap":
        raise LostGround(f"job {job_id}: Redis lacks a decision that was durable")
    if reply != b"ok":
        raise BadReply(f"job {job_id}: an unexpected reply of Redis: {reply!r}")
