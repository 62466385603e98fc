"""Jobs in Redis: every transition of a job, and reading it. The keys are in keys.py, the transitions in scripts/."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ssr.core.errors import BadReply, Conflict, NotFound, Overloaded, StaleOwner
from ssr.core.job import Event, Finished, Happening, Job, JobStatus, Queued
from ssr.core.limits import MAX_PATHS
from ssr.core.run import Decision, PathEnded, Run, Selected, StepCommitted
from ssr.orchestrator.keys import INDEX, JOBS, NOTICES, JobKeys
from ssr.orchestrator.redis_client import RedisClient, Scripts, redis_errors
from ssr.rpc.job_wire import event_from_wire, happening_to_wire, job_from_wire, job_to_wire
from ssr.rpc.wire import options_from_wire
from ssr.v1 import reasoning_pb2

#: When a refused caller should come back, in seconds.
_RETRY_S = 2.0

#: Milliseconds since 1970; injected so that tests own the clock.
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A replica's right to write a job, until somebody claims it again.

    `cancelled`: its end is already wanted. `takeovers`: how many owners lost it without handing it back.
    """

    job_id: str
    epoch: int
    problem: str
    options_wire: reasoning_pb2.Options
    cancelled: bool
    takeovers: int = 0
    created_ms: int = 0


class JobStore:
    """Reads and writes jobs.

    Every method raises Unavailable while Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient, now: Clock, *, retention_s: int, max_unfinished: int) -> None:
        self._redis, self._now = redis, now
        self._retention_s, self._max_unfinished = retention_s, max_unfinished
        self._scripts = Scripts(redis)

    async def create(self, job_id: str, request: reasoning_pb2.SolveRequest, fingerprint: str) -> None:
        """Store a job and queue it; once, however often it is called with the same fingerprint.

        Raises: Conflict when the id belongs to another request; Overloaded when too many jobs are unfinished.
        """
        keys, now = JobKeys(job_id), self._now()
        with redis_errors():
            if await self._redis.xlen(JOBS) >= self._max_unfinished and not await self._redis.exists(keys.meta):
                raise Overloaded(f"{self._max_unfinished} jobs are queued or running already", _RETRY_S)
            made = await self._scripts.create(
                keys=[keys.meta, keys.events],
                args=[fingerprint, request.SerializeToString(), now, _payload(Queued())],
            )
            if made == b"conflict":
                raise Conflict("idempotency_key: was used for another request; choose a new one")
            if made == b"created":
                await self._redis.zadd(INDEX, {job_id: now})
                await self._redis.xadd(JOBS, {"job": job_id})

    async def claim(self, job_id: str, owner: str) -> Claim | None:
        """Become the job's owner; None when it is finished or gone."""
        keys = JobKeys(job_id)
        with redis_errors():
            claimed = await self._scripts.claim(keys=[keys.meta, keys.events], args=[owner, self._now()])
        if claimed is None:
            return None
        epoch, request_bytes, cancel, takeovers, created = claimed
        request = reasoning_pb2.SolveRequest.FromString(request_bytes)
        return Claim(job_id, epoch, request.problem, request.options, cancel == b"1", takeovers, int(created))

    async def release(self, claim: Claim) -> None:
        """Hand the job back, to be claimed by anybody. Nothing happens when it has a newer owner or is finished."""
        with redis_errors():
            await self._scripts.release(keys=[JobKeys(claim.job_id).meta], args=[claim.epoch])

    async def append(self, claim: Claim, happening: Happening) -> None:
        """Commit a decision and tell of it, or only tell of what is no decision.

        Raises: StaleOwner when the job has a newer owner or is finished; BadReply when the decision does not follow
        from what is committed.
        """
        keys = JobKeys(claim.job_id)
        list_key, kind, place = keys.meta, "news", ""
        match happening:
            case StepCommitted(path, step):
                list_key, kind, place = keys.path(path), "step", str(step.index)
            case Selected():
                kind, place = "field", "selected"
            case PathEnded(path):
                kind, place = "field", f"end:{path}"
        with redis_errors():
            reply = await self._scripts.append(
                keys=[keys.meta, keys.events, list_key],
                args=[claim.epoch, NOTICES, claim.job_id, _payload(happening), kind, place],
            )
        _check_written(reply, claim.job_id)

    async def finish(self, claim: Claim, job: Job) -> None:
        """End the job with this result.

        Raises: StaleOwner when the job has a newer owner or is finished.
        """
        now = self._now()
        final = replace(job, finished=datetime.fromtimestamp(now / 1000, UTC))
        with redis_errors():
            reply = await self._scripts.finish(
                keys=JobKeys(claim.job_id).all(job.options.paths),
                args=[
                    claim.epoch,
                    NOTICES,
                    claim.job_id,
                    _payload(Finished(final)),
                    str(final.status),
                    job_to_wire(final, steps=False).SerializeToString(),
                    now,
                    self._retention_s,
                ],
            )
        _check_written(reply, claim.job_id)

    async def cancel(self, job_id: str) -> None:
        """Ask for a job's end. A queued job ends here and now; a running one is ended by its owner.

        Raises: NotFound.
        """
        with redis_errors():
            reply = await self._scripts.cancel(keys=[JobKeys(job_id).meta], args=[NOTICES, job_id])
        if reply is None:
            raise _no_job(job_id)
        if reply[0] == b"queued":
            job = await self.get(job_id)
            claim = Claim(job_id, int(reply[1]), job.problem, reasoning_pb2.Options(), cancelled=True)
            try:
                await self.finish(claim, replace(job, status=JobStatus.CANCELLED))
            except StaleOwner:
                return  # somebody claimed it in between, and hears of the cancellation

    async def cancel_wanted(self, job_id: str) -> bool:
        """Whether somebody asked for the job's end."""
        with redis_errors():
            return bool(await self._redis.hget(JobKeys(job_id).meta, "cancel"))

    async def final(self, job_id: str) -> bool:
        """Whether the job has ended. Raises: NotFound."""
        with redis_errors():
            status = await self._redis.hget(JobKeys(job_id).meta, "status")
        if status is None:
            raise _no_job(job_id)
        return JobStatus(status.decode()).final

    async def run(self, job_id: str) -> Run:
        """What is decided of the job so far."""
        return (await self._snapshot(job_id))[1]

    async def get(self, job_id: str) -> Job:
        """The job as it is now. Raises: NotFound."""
        meta, run, cursor = await self._snapshot(job_id)
        return replace(_job(job_id, meta), paths=run.paths, usage=run.ledger.usage(), cursor=cursor)

    async def page(self, limit: int, before_ms: int | None) -> tuple[list[Job], int | None]:
        """Jobs without paths, newest first, created before `before_ms`; and where the next page begins, if any."""
        highest = "+inf" if before_ms is None else f"({before_ms}"
        with redis_errors():
            found = await self._redis.zrange(
                INDEX, highest, "-inf", desc=True, byscore=True, offset=0, num=limit, withscores=True
            )
            metas = [await self._redis.hgetall(JobKeys(job_id.decode()).meta) for job_id, _ in found]
            if expired := [job_id for (job_id, _), meta in zip(found, metas, strict=True) if not meta]:
                await self._redis.zrem(INDEX, *expired)
        jobs = [_job(job_id.decode(), meta) for (job_id, _), meta in zip(found, metas, strict=True) if meta]
        return jobs, int(found[-1][1]) if len(found) == limit else None

    async def events(self, job_id: str, cursor: str) -> list[Event]:
        """The job's events behind a cursor ("": from the beginning)."""
        with redis_errors():
            entries = await self._redis.xrange(JobKeys(job_id).events, min=f"({cursor}" if cursor else "-")
        return [_event(job_id, entry_id.decode(), fields[b"e"]) for entry_id, fields in entries]

    async def _snapshot(self, job_id: str) -> tuple[dict[bytes, bytes], Run, str]:
        """The job's fields, the fold of its decisions, and its last event, all of one moment."""
        keys = JobKeys(job_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.meta)
            pipe.xrevrange(keys.events, count=1)
            for index in range(MAX_PATHS):
                pipe.lrange(keys.path(index), 0, -1)
            with redis_errors():
                meta, last, *paths = await pipe.execute()
        if not meta:
            raise _no_job(job_id)
        run = Run()
        if b"selected" in meta:
            run = run.apply(_decision(meta[b"selected"]))
        for index, path in enumerate(run.paths):
            for payload in paths[index]:
                run = run.apply(_decision(payload))
            if end := meta.get(f"end:{path.index}".encode()):
                run = run.apply(_decision(end))
        return meta, run, last[0][0].decode() if last else ""


def fingerprint_of(request: reasoning_pb2.SolveRequest) -> str:
    """Equal for requests that ask for the same."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def _payload(happening: Happening) -> bytes:
    return happening_to_wire(happening).SerializeToString(deterministic=True)


def _event(job_id: str, cursor: str, payload: bytes) -> Event:
    message = reasoning_pb2.Event.FromString(payload)
    message.cursor, message.job_id = cursor, job_id
    message.time.FromMilliseconds(int(cursor.partition("-")[0]))
    return event_from_wire(message)


def _decision(payload: bytes) -> Decision:
    happening = event_from_wire(reasoning_pb2.Event.FromString(payload)).happening
    if not isinstance(happening, Selected | StepCommitted | PathEnded):
        raise BadReply(f"Redis holds {type(happening).__name__} where a decision belongs")
    return happening


def _job(job_id: str, meta: dict[bytes, bytes]) -> Job:
    """The job without its paths."""
    if b"result" in meta:
        job = replace(job_from_wire(reasoning_pb2.Job.FromString(meta[b"result"])), paths=())
    else:
        request = reasoning_pb2.SolveRequest.FromString(meta[b"request"])
        status = JobStatus(meta[b"status"].decode())
        job = Job(job_id, status, request.problem, options_from_wire(request.options, 0))
    return replace(
        job,
        created=_time(meta.get(b"created")),
        started=_time(meta.get(b"started")),
        finished=_time(meta.get(b"finished")),
    )


def _time(milliseconds: bytes | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"job_id: there is no job {job_id!r}, or it has expired")


def _check_written(reply: bytes, job_id: str) -> None:
    if reply == b"stale":
        raise StaleOwner(f"job {job_id} has a newer owner or is finished")
    if reply != b"ok":
        raise BadReply(f"job {job_id}: the write does not follow from what is committed")
