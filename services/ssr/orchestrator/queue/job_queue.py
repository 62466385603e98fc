"""The job queue in Redis: a stream for each priority, shared by all replicas, and a turn for every tenant.

A job's entry stays pending with the replica that took it until the job has ended. A replica that is silent for the
lease time loses its entries to whoever asks next; heartbeats (`keep`) hold the others off. Every method is one atomic
script (scripts/queue), bears being called twice, and raises Unavailable while Redis cannot be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from ssr.core.errors import Overloaded
from ssr.core.job import Priority
from ssr.orchestrator.queue.keys import GROUP, INDEX, LISTED, PAUSED, QUEUE_TAG, UNFINISHED, WAKEUPS, stream
from ssr.orchestrator.queue.listing import summary
from ssr.orchestrator.queue.rates import caller_of
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors

#: When a refused caller should come back, in seconds.
_RETRY_S = 2.0
#: Longer than any lease.
_LONG_AGO_MS = 24 * 3600 * 1000
#: More jobs than a queue can hold, and than a replica can.
_NO_LIMIT = 2**53
_MANY = 100_000
#: Entries that a look at the backlog reads of each stream.
_LOOKED_AT = 500

_TENANTS = f"{QUEUE_TAG}tenants"


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that was delivered to this replica. `paths` is 1..16."""

    priority: Priority
    entry_id: str
    job_id: str
    paths: int


@dataclass(frozen=True, slots=True)
class Arriving:
    """A job to be queued; a list finds it by its labels."""

    job_id: str
    priority: Priority
    paths: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Jobs of one priority that could run and that no replica has taken, their paths, and when the oldest came.

    `oldest_ms` is since 1970. Jobs that wait for their tenant's turn are not among them: no replica could take them.
    """

    jobs: int
    paths: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much the queue takes.

    `unfinished`: jobs waiting or running, of all tenants. `per_tenant`: jobs of one tenant and priority that the
    replicas have at a time (None: any number), unless `of_tenant` says otherwise; more wait for their turn.
    `per_caller`: unfinished jobs of one caller, of all its tenants (None: any number); more are refused.
    """

    unfinished: int
    per_tenant: int | None = None
    per_caller: int | None = None
    of_tenant: Mapping[str, int] = field(default_factory=dict)

    def tenant(self, name: str) -> int:
        limit = self.of_tenant.get(name, self.per_tenant)
        return _NO_LIMIT if limit is None else limit


class JobQueue:
    """The queue as one replica (`consumer`) sees it."""

    def __init__(self, redis: RedisClient, consumer: str, limits: QueueLimits) -> None:
        self._redis, self._consumer, self._limits = redis, consumer, limits
        self._enqueue = Script(redis, "orchestrator/queue/scripts/queue/enqueue")
        self._take = Script(redis, "orchestrator/queue/scripts/queue/take")
        self._take_over = Script(redis, "orchestrator/queue/scripts/queue/take_over")
        self._hold = Script(redis, "orchestrator/queue/scripts/queue/hold")
        self._done = Script(redis, "orchestrator/queue/scripts/queue/done")
        self._count = Script(redis, "orchestrator/queue/scripts/queue/count")
        self._backlog = Script(redis, "orchestrator/queue/scripts/queue/backlog")

    async def check_room(self, job_id: str, tenant: str, jobs: int = 1) -> None:
        """Raises: Overloaded when there is no room for so many jobs and this one is not in the queue yet."""
        with redis_errors():
            full = await self._redis.hlen(UNFINISHED) + jobs > self._limits.unfinished
            if full and not await self._redis.hexists(UNFINISHED, job_id):
                raise self._overloaded()
        limit = self._limits.per_caller
        if limit is not None:
            caller = caller_of(tenant)
            held, there = await self._count([UNFINISHED], [caller, job_id])
            if held + jobs > limit and not there:
                raise Overloaded(f"caller {caller}: {limit} unfinished jobs are allowed, and there", _RETRY_S)

    async def enqueue(self, jobs: Sequence[Arriving], tenant: str, *, now_ms: int, oldest_ms: int) -> None:
        """Queue jobs of one tenant, each once, all of them or none. Jobs created before `oldest_ms` leave the list.

        Raises: Overloaded when there is no room for all.
        """
        limits, priorities = self._limits, sorted({job.priority for job in jobs})
        queues = [(stream(priority), f"{QUEUE_TAG}waiting:{priority} {tenant}") for priority in priorities]
        listed: list[tuple[str | int, ...]] = [
            (job.job_id, job.priority, priorities.index(job.priority), job.paths, summary(tenant, job.labels))
            for job in jobs
        ]
        reply = await self._enqueue(
            [UNFINISHED, _TENANTS, INDEX, LISTED, *chain.from_iterable(queues)],
            [
                *(tenant, limits.unfinished, limits.tenant(tenant), now_ms, oldest_ms, WAKEUPS),
                *chain.from_iterable(listed),
            ],
        )
        if reply == b"full":
            raise self._overloaded()

    async def take(self, priorities: Sequence[Priority]) -> QueuedJob | None:
        """A job that nobody has taken yet, of the first of these priorities that has one; none while it is paused."""
        found = await self._take([*map(stream, priorities), PAUSED], [GROUP, self._consumer])
        return _entry(priorities, found)

    async def take_over(self, priorities: Sequence[Priority], lease_ms: int) -> QueuedJob | None:
        """A job that was handed back, or whose replica was silent for the lease time; none while paused."""
        streams = map(stream, priorities)
        found = await self._take_over([*streams, PAUSED], [GROUP, self._consumer, lease_ms])
        return _entry(priorities, found)

    async def keep(self, entries: Iterable[QueuedJob]) -> None:
        """Report that these jobs are at work here."""
        await self._set_idle(entries, 0, channel="")

    async def hand_back(self, entry: QueuedJob) -> None:
        """Let another replica have the job at once, and wake it."""
        await self._set_idle([entry], _LONG_AGO_MS, channel=WAKEUPS)

    async def _set_idle(self, entries: Iterable[QueuedJob], idle_ms: int, channel: str) -> None:
        by_priority: dict[Priority, list[str]] = {}
        for entry in entries:
            by_priority.setdefault(entry.priority, []).append(entry.entry_id)
        for priority, entry_ids in by_priority.items():
            await self._hold([stream(priority)], [GROUP, self._consumer, idle_ms, channel, *entry_ids])

    async def done(self, entry: QueuedJob) -> None:
        """The job has ended, or the entry is a duplicate: take it out."""
        await self._take_out(entry.job_id, entry.entry_id, stream(entry.priority))

    async def drop(self, job_id: str) -> None:
        """Take out a job that has ended before anybody took it."""
        await self._take_out(job_id)

    async def _take_out(self, job_id: str, entry_id: str = "", key: str = "") -> None:
        limits = self._limits
        others = [part for name in limits.of_tenant for part in (name, limits.tenant(name))]
        await self._done(
            [UNFINISHED, _TENANTS, INDEX], [job_id, entry_id, key, GROUP, WAKEUPS, limits.tenant(""), *others]
        )

    async def backlog(self) -> dict[Priority, Backlog]:
        """What waits for a replica, by priority."""
        found = await self._backlog([stream(priority) for priority in Priority], [GROUP, _LOOKED_AT])
        return {
            priority: Backlog(jobs, paths, int(oldest) if oldest else None)
            for priority, (jobs, paths, oldest) in zip(Priority, found, strict=True)
        }

    async def leave(self) -> None:
        """Hand back what this replica still holds; take it, and consumers long gone, off the list if they hold nothing.

        Their entries would be lost with them otherwise.
        """
        for priority in Priority:
            key = stream(priority)
            with redis_errors():
                if not await self._has_group(key):
                    continue
                held = await self._redis.xpending_range(key, GROUP, "-", "+", _MANY, consumername=self._consumer)
                if entry_ids := [entry["message_id"] for entry in held]:
                    await self._hold([key], [GROUP, self._consumer, _LONG_AGO_MS, WAKEUPS, *entry_ids])
                for consumer in await self._redis.xinfo_consumers(key, GROUP):
                    own = consumer["name"] == self._consumer.encode()
                    if consumer["pending"] == 0 and (own or consumer["idle"] > _LONG_AGO_MS):
                        await self._redis.xgroup_delconsumer(key, GROUP, consumer["name"])

    async def _has_group(self, key: str) -> bool:
        """Whether anybody has ever taken a job from the stream."""
        return bool(await self._redis.exists(key) and await self._redis.xinfo_groups(key))

    def _overloaded(self) -> Overloaded:
        return Overloaded(f"{self._limits.unfinished} jobs are queued or running already", _RETRY_S)


def _entry(priorities: Sequence[Priority], found: list[bytes] | None) -> QueuedJob | None:
    if not found:
        return None
    index, entry_id, job_id, *paths = found
    return QueuedJob(priorities[int(index)], entry_id.decode(), job_id.decode(), int(paths[0]) if paths else 1)
