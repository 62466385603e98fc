"""A job in the hands of its owner, on a real Valkey and with a writer that the test holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from hang_limit import LIMIT_S
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import LostGround, Unavailable
from ssr.core.job import Event, JobRequest, JobStatus, Priority, Started
from ssr.core.path_stream import StepByStep
from ssr.core.run import Decision, PathEnded, Selected, StepCommitted
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.types import NO_STRATEGY, Mode, Options, PathContext, PathStatus, Source, Step
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.queue.job_queue import Arriving, JobQueue, QueuedJob, QueueLimits
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.keys import JobKeys
from ssr.orchestrator.queue.wakeups import Wakeups
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.runner import Fate, Runner
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.redis.client import open_redis
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.telemetry.telemetry import Telemetry

JOB = "job-1"
ONE_PATH = Options(mode=Mode.BASELINE, paths=1)


class Writer(StepByStep):
    """The only model that a baseline job needs: three steps, the second of which waits for the test."""

    def __init__(self) -> None:
        self.at_second = asyncio.Event()
        self.go_on = asyncio.Event()

    async def write(self, context: PathContext, options: Options) -> Written:
        index = len(context.steps)
        if index == 1:
            self.at_second.set()
            await self.go_on.wait()
        text = r"So it is \boxed{4}." if index == 2 else f"Step {index}."
        return Written(Step(index, text, Source.TARGET, 3))

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        raise Unavailable("nobody selects here")

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        raise Unavailable("nobody verifies here")

    async def same(self, first: str, second: str, asked: Asked = ANYBODY) -> bool:
        return first == second


class Replica:
    """A replica's store, queue and runner around a writer."""

    def __init__(self, redis: Redis, name: str, stagger_s: float = 0.0) -> None:
        self.writer = Writer()
        self.store = JobStore(redis, lambda: 1_000_000, retention_s=60)
        self.queue = JobQueue(redis, name, QueueLimits(100))
        self.registry = CollectorRegistry()
        stages = Stages(self.writer, self.writer, self.writer, self.writer, self.writer)
        self.runner = Runner(
            self.store,
            Wakeups(),
            stages,
            WorkloadEstimate(5.0),
            JobRecords.of(Telemetry(self.registry)),
            lambda: 1_000_000,
            Parking(),
            replica=name,
            max_takeovers=5,
            drain_s=LIMIT_S,
            stagger_s=stagger_s,
        )

    async def submit(self, asked: Options = ONE_PATH) -> QueuedJob:
        await self.store.create(JOB, JobRequest("What is 2 + 2?", asked), "default", "f", 1_000_000)
        await self.queue.enqueue([Arriving(JOB, Priority.INTERACTIVE, 1)], "default", now_ms=1, oldest_ms=0)
        entry = await self.queue.take((Priority.INTERACTIVE,))
        assert entry is not None
        return entry


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client, asyncio.timeout(LIMIT_S):
        yield client


async def reported(store: JobStore) -> list[Event]:
    return [event_from_wire(event) for event in await store.events(JOB, "")]


async def steps(store: JobStore) -> list[int]:
    return [e.happening.step.index for e in await reported(store) if isinstance(e.happening, StepCommitted)]


async def test_ground_lost_in_a_failover_is_made_up(redis: Redis) -> None:
    """The new master never heard of the last committed step, which the run is already behind."""
    replica = Replica(redis, "one")
    entry = await replica.submit()
    running = asyncio.create_task(replica.runner.run(entry))
    await replica.writer.at_second.wait()
    last = (await reported(replica.store))[-1]
    assert isinstance(last.happening, StepCommitted)
    await redis.xdel(JobKeys(JOB).events, last.cursor)
    await redis.hdel(JobKeys(JOB).meta, "path:0")
    replica.writer.go_on.set()
    assert await running is Fate.ENDED
    job = await replica.store.get(JOB)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, "4")
    assert await steps(replica.store) == [0, 1, 2]


async def test_a_zombie_writes_nothing(redis: Redis) -> None:
    """Somebody else has taken the job over while its first owner was asleep."""
    zombie, heir = Replica(redis, "zombie"), Replica(redis, "heir")
    entry = await zombie.submit()
    asleep = asyncio.create_task(zombie.runner.run(entry))
    await zombie.writer.at_second.wait()
    heir.writer.go_on.set()
    assert await heir.runner.run(entry) is Fate.ENDED
    so_far = await reported(heir.store)
    zombie.writer.go_on.set()
    assert await asleep is Fate.MOVED
    assert await reported(heir.store) == so_far
    assert [event.happening.epoch for event in so_far if isinstance(event.happening, Started)] == [1, 2]


async def test_a_replica_that_leaves_stops_behind_the_step_in_hand(redis: Redis) -> None:
    replica, heir = Replica(redis, "one"), Replica(redis, "two")
    entry = await replica.submit()
    running = asyncio.create_task(replica.runner.run(entry))
    await replica.writer.at_second.wait()
    replica.runner.handing_back.set()
    await asyncio.sleep(0)
    assert not running.done()
    replica.writer.go_on.set()
    assert await running is Fate.LEFT
    assert await steps(replica.store) == [0, 1]
    assert (await replica.store.get(JOB)).status is JobStatus.QUEUED
    assert await heir.runner.run(entry) is Fate.ENDED
    assert await steps(replica.store) == [0, 1, 2]
    assert await redis.hget(JobKeys(JOB).meta, "takeovers") == b"0"


async def test_paths_that_have_not_begun_keep_nobody_from_leaving(redis: Redis) -> None:
    replica = Replica(redis, "one", stagger_s=3600)
    entry = await replica.submit(Options(mode=Mode.PARALLEL, paths=3))
    running = asyncio.create_task(replica.runner.run(entry))
    await replica.writer.at_second.wait()
    replica.runner.handing_back.set()
    replica.writer.go_on.set()
    assert await running is Fate.LEFT
    assert {e.happening.path for e in await reported(replica.store) if isinstance(e.happening, StepCommitted)} == {0}


async def test_everything_is_written_once_however_often_it_is_tried(redis: Redis) -> None:
    """A reply that was lost has the write tried again."""
    replica = Replica(redis, "one")
    entry = await replica.submit()
    claim = await replica.store.claim(JOB, "one", entry.entry_id)
    assert claim is not None
    decisions = (
        Started(claim.epoch),
        Selected((NO_STRATEGY,)),
        StepCommitted(0, Step(0, "Step 0.", Source.TARGET, 3)),
        StepCommitted(0, Step(1, "Step 1.", Source.TARGET, 3)),
        PathEnded(0, PathStatus.STOPPED),
    )
    for decision in decisions:
        for _ in range(3):
            await replica.store.append(claim, decision)
    assert [event.happening for event in await reported(replica.store)][1:] == list(decisions)


@pytest.mark.parametrize(
    "decision",
    [
        StepCommitted(0, Step(2, "Step 2.", Source.TARGET, 3)),
        StepCommitted(0, Step(0, "Another step 0.", Source.TARGET, 3)),
        PathEnded(1, PathStatus.FAILED),
        Selected((NO_STRATEGY, NO_STRATEGY)),
        StepCommitted(1, Step(0, "On an ended path.", Source.TARGET, 3)),
    ],
    ids=["a gap", "another step", "another end", "another selection", "after the end"],
)
async def test_what_does_not_follow_is_not_committed(redis: Redis, decision: Decision) -> None:
    replica = Replica(redis, "one")
    entry = await replica.submit()
    claim = await replica.store.claim(JOB, "one", entry.entry_id)
    assert claim is not None
    for before in (
        Selected((NO_STRATEGY,)),
        StepCommitted(0, Step(0, "Step 0.", Source.TARGET, 3)),
        PathEnded(1, PathStatus.STOPPED),
    ):
        await replica.store.append(claim, before)
    so_far = await reported(replica.store)
    with pytest.raises(LostGround):
        await replica.store.append(claim, decision)
    assert await reported(replica.store) == so_far


async def test_a_failed_job_is_one_line_with_its_reason(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(redis, "one")
    entry = await replica.submit(Options(mode=Mode.SSR, paths=2))  # nobody selects here
    assert await replica.runner.run(entry) is Fate.ENDED
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage() == f"job {JOB} failed: nobody selects here"


async def test_a_parked_job_is_one_line_with_its_reason(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(redis, "one")
    entry = await replica.submit()
    await redis.hset(JobKeys(JOB).meta, "takeovers", 5)
    assert await replica.runner.run(entry) is Fate.ENDED
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage().startswith(f"job {JOB} parked: parked: 5 replicas died")


async def test_a_job_that_redis_has_lost_is_a_warning_and_counted(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    replica = Replica(redis, "one")
    entry = await replica.submit()
    running = asyncio.create_task(replica.runner.run(entry))
    await replica.writer.at_second.wait()
    await redis.flushall()
    replica.writer.go_on.set()
    assert await running is Fate.MOVED
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.getMessage().startswith(f"job {JOB} is lost: Redis no longer has it")
    assert replica.registry.get_sample_value("ssr_jobs_lost_total") == 1
    assert replica.registry.get_sample_value("ssr_jobs_moved_total") == 0


async def test_the_first_answer_is_timed_once(redis: Redis) -> None:
    replica = Replica(redis, "one")
    replica.writer.go_on.set()
    assert await replica.runner.run(await replica.submit(Options(mode=Mode.PARALLEL, paths=3))) is Fate.ENDED
    assert replica.registry.get_sample_value("ssr_job_first_answer_seconds_count", {"priority": "interactive"}) == 1
