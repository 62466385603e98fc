"""The job queue on a real Valkey: once, in order of priority, each tenant in its turn, and never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from ssr.core.errors import Overloaded
from ssr.core.job import Priority
from ssr.orchestrator.queue.job_queue import Arriving, Backlog, JobQueue, QueuedJob, QueueLimits
from ssr.orchestrator.queue.keys import GROUP, UNFINISHED, stream
from ssr.runtime.redis.client import open_redis

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH
BOTH = (INTERACTIVE, BATCH)
MANY = QueueLimits(unfinished=1000)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


async def put(
    queue: JobQueue, job_id: str, priority: Priority = INTERACTIVE, tenant: str = "t", paths: int = 3
) -> None:
    await queue.enqueue([Arriving(job_id, priority, paths)], tenant, now_ms=1, oldest_ms=0)


async def taken(queue: JobQueue, priorities: tuple[Priority, ...] = BOTH) -> QueuedJob:
    entry = await queue.take(priorities)
    assert entry is not None
    return entry


async def test_a_job_is_delivered_once(redis: Redis) -> None:
    one, two = JobQueue(redis, "one", MANY), JobQueue(redis, "two", MANY)
    await put(one, "job", paths=7)
    entry = await taken(two)
    assert (entry.job_id, entry.priority, entry.paths) == ("job", INTERACTIVE, 7)
    assert await one.take(BOTH) is None


async def test_a_job_that_is_queued_twice_is_there_once(redis: Redis) -> None:
    queue = JobQueue(redis, "one", MANY)
    await put(queue, "job")
    await put(queue, "job")
    await queue.done(await taken(queue))
    assert await queue.take(BOTH) is None
    assert await redis.hlen(UNFINISHED) == 0


async def test_the_preferred_priority_is_taken_first_and_the_other_one_else(redis: Redis) -> None:
    queue = JobQueue(redis, "one", MANY)
    await put(queue, "slow", BATCH)
    await put(queue, "quick", INTERACTIVE)
    await put(queue, "quick-2", INTERACTIVE)
    assert (await taken(queue)).job_id == "quick"
    assert (await taken(queue, (BATCH, INTERACTIVE))).job_id == "slow"
    assert await queue.take((BATCH,)) is None
    assert (await taken(queue, (BATCH, INTERACTIVE))).job_id == "quick-2"


async def test_a_full_queue_refuses_the_next_job_but_none_that_it_has(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(unfinished=2))
    for job_id in ("a", "b"):
        await queue.check_room(job_id, "t")
        await put(queue, job_id)
    with pytest.raises(Overloaded) as refused:
        await queue.check_room("c", "t")
    assert refused.value.delay_s > 0
    with pytest.raises(Overloaded):
        await put(queue, "c")
    await queue.check_room("a", "t")
    await put(queue, "a")
    await queue.done(await taken(queue))
    await put(queue, "c")


async def test_a_tenant_has_its_limit_and_others_go_ahead(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(1000, per_tenant=2, of_tenant={"large": 3}))
    for tenant, count in (("small", 4), ("large", 4), ("other", 1)):
        for number in range(count):
            await put(queue, f"{tenant}-{number}", tenant=tenant)
    first = [await taken(queue) for _ in range(6)]
    assert [entry.job_id for entry in first] == ["small-0", "small-1", "large-0", "large-1", "large-2", "other-0"]
    assert await queue.take(BOTH) is None
    await queue.done(first[0])
    await queue.done(first[0])  # said twice, after a lost reply
    assert (await taken(queue)).job_id == "small-2"
    assert await queue.take(BOTH) is None
    await queue.done(first[2])
    assert (await taken(queue)).job_id == "large-3"
    assert await queue.take(BOTH) is None


async def test_priorities_of_a_tenant_have_limits_of_their_own(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(1000, per_tenant=1))
    await put(queue, "b1", BATCH)
    await put(queue, "b2", BATCH)
    await put(queue, "i1", INTERACTIVE)
    assert {(await taken(queue)).job_id for _ in range(2)} == {"b1", "i1"}
    assert await queue.take(BOTH) is None


async def test_a_job_can_be_dropped_wherever_it_is(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(1000, per_tenant=1))
    for job_id in ("in-the-stream", "waiting", "next"):
        await put(queue, job_id)
    await queue.drop("waiting")
    await queue.drop("in-the-stream")
    await queue.drop("unknown")
    entry = await taken(queue)
    assert entry.job_id == "next"
    await queue.done(entry)
    keys = {key async for key in redis.scan_iter("ssr:*")}
    assert keys == {stream("interactive").encode(), b"ssr:{queue}:index", b"ssr:{queue}:listed"}
    assert await redis.xlen(stream("interactive")) == 0


async def test_an_entry_too_many_is_only_taken_out_itself(redis: Redis) -> None:
    queue = JobQueue(redis, "one", MANY)
    await put(queue, "job")
    own = await taken(queue)
    await redis.xadd(stream("interactive"), {"job": "job"})
    double = await taken(queue)
    assert (double.job_id, double.paths) == ("job", 1)
    await queue.done(double)
    assert await redis.hexists(UNFINISHED, "job")
    assert [entry["message_id"] for entry in await pending(redis)] == [own.entry_id.encode()]


async def pending(redis: Redis) -> list[dict[str, bytes | str | int]]:
    return await redis.xpending_range(stream("interactive"), GROUP, "-", "+", 100)


async def test_what_a_silent_replica_held_is_taken_over_however_much_others_hold(redis: Redis) -> None:
    """The silent one's entry is behind thirty of a replica that lives."""
    alive, silent, heir = (JobQueue(redis, name, MANY) for name in ("alive", "silent", "heir"))
    for number in range(31):
        await put(alive, f"job-{number}")
    kept = [await taken(alive) for _ in range(30)]
    lost = await taken(silent)
    lease_ms = 60_000
    assert await heir.take_over(BOTH, lease_ms) is None
    await redis.xclaim(stream("interactive"), GROUP, "silent", 0, [lost.entry_id], idle=lease_ms, justid=True)
    await alive.keep(kept)
    assert await heir.take_over(BOTH, lease_ms) == lost
    assert await heir.take_over(BOTH, lease_ms) is None


async def test_a_job_that_is_handed_back_goes_on_at_once(redis: Redis) -> None:
    one, two = JobQueue(redis, "one", MANY), JobQueue(redis, "two", MANY)
    await put(one, "job", BATCH)
    entry = await taken(one)
    await one.hand_back(entry)
    assert await two.take(BOTH) is None
    assert await two.take_over(BOTH, 60_000) == entry


async def test_who_lost_an_entry_does_not_keep_or_hand_it_back(redis: Redis) -> None:
    zombie, heir = JobQueue(redis, "zombie", MANY), JobQueue(redis, "heir", MANY)
    await put(zombie, "job")
    entry = await taken(zombie)
    await zombie.hand_back(entry)
    assert await heir.take_over(BOTH, 60_000) == entry
    await zombie.keep([entry])
    await zombie.hand_back(entry)
    (held,) = await pending(redis)
    assert held["consumer"] == b"heir"
    assert await zombie.take_over(BOTH, 60_000) is None


async def test_a_replica_that_leaves_hands_everything_back_and_is_forgotten(redis: Redis) -> None:
    leaving, staying = JobQueue(redis, "leaving", MANY), JobQueue(redis, "staying", MANY)
    await put(leaving, "a")
    await put(leaving, "b")
    mine = await taken(leaving)
    lost = await taken(leaving)  # delivered, and the replica was stopped before it knew
    await leaving.done(mine)
    await leaving.leave()
    assert await staying.take_over(BOTH, 60_000) == lost
    await leaving.leave()
    names = {c["name"] for c in await redis.xinfo_consumers(stream("interactive"), GROUP)}
    assert names == {b"staying"}


async def test_a_replica_that_never_took_anything_can_leave(redis: Redis) -> None:
    queue = JobQueue(redis, "idle", MANY)
    await queue.leave()
    await put(queue, "job")
    await queue.leave()
    assert (await taken(queue)).job_id == "job"


async def test_the_backlog_is_what_nobody_has_taken(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(unfinished=1000, of_tenant={"limited": 1}))
    nothing = Backlog(0, 0, None)
    assert await queue.backlog() == {INTERACTIVE: nothing, BATCH: nothing}
    await put(queue, "taken", paths=9)
    entry = await taken(queue)
    for number in range(3):
        await put(queue, f"job-{number}", BATCH, paths=5)
    await put(queue, "first", INTERACTIVE, "limited", paths=2)
    await put(queue, "waits for its turn", INTERACTIVE, "limited", paths=2)
    backlog = await queue.backlog()
    assert (backlog[BATCH].jobs, backlog[BATCH].paths) == (3, 15)
    assert (backlog[INTERACTIVE].jobs, backlog[INTERACTIVE].paths) == (1, 2)
    found: Any = await redis.xrange(stream(BATCH), count=1)
    first = found[0][0]
    assert backlog[BATCH].oldest_ms == int(first.split(b"-")[0])
    await queue.done(entry)
    assert (await queue.backlog())[BATCH].jobs == 3


async def test_the_paths_of_a_long_backlog_are_estimated(redis: Redis) -> None:
    queue = JobQueue(redis, "one", QueueLimits(unfinished=10_000))
    for number in range(1200):
        await put(queue, f"job-{number}", paths=3 if number < 1000 else 16)
    for _ in range(100):
        await taken(queue)
    backlog = (await queue.backlog())[INTERACTIVE]
    assert (backlog.jobs, backlog.paths) == (1100, 3300)
