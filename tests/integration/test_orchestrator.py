"""The public API over the whole system: real gRPC, HTTP and Valkey, simulated engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Services, System
from grpc import StatusCode, aio
from hang_limit import LIMIT_S
from redis.asyncio import Redis

from ssr.core.job import Event, Finished, Job, JobStatus, Priority, Queued, Started
from ssr.core.run import PathEnded, Run, Selected, StepCommitted
from ssr.core.types import PathStatus, Source, StopRule
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.script import truth
from ssr.orchestrator.queue.keys import GROUP, UNFINISHED
from ssr.orchestrator.queue.keys import stream as queue_stream
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.rpc.event_wire import event_from_wire
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

if TYPE_CHECKING:
    Stub = reasoning_pb2_grpc.ReasoningServiceAsyncStub

PROBLEM = "A shop sells 12 boxes of 7 pens, then 19 more pens. What is (12 * 7) + 19 - 3?"
HANG = FaultPlan(rates={FaultKind.HANG: 1.0})


@pytest.fixture
async def stub(system: System) -> AsyncIterator[Stub]:
    async with aio.insecure_channel(system.address) as channel:
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


def request(problem: str = PROBLEM, key: str = "", **options: Any) -> pb.SolveRequest:
    options = {"seed": 1, **options}
    return pb.SolveRequest(problem=problem, options=pb.Options(**options), idempotency_key=key)


async def solve(stub: Stub, **options: Any) -> Job:
    return job_from_wire(await stub.Solve(request(**options), timeout=LIMIT_S))


async def watch(stub: Stub, job_id: str, cursor: str = "") -> list[Event]:
    stream = stub.Watch(pb.WatchRequest(job_id=job_id, cursor=cursor), timeout=LIMIT_S)
    return [event_from_wire(event) async for event in stream]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def ended(stub: Stub, job_id: str) -> Job:
    await watch(stub, job_id)
    return job_from_wire(await stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S))


async def test_a_problem_gets_a_voted_answer(stub: Stub) -> None:
    job = await solve(stub)
    assert job.status is JobStatus.ANSWERED
    assert job.answer == truth(PROBLEM) == job.votes[0].answer
    assert len(job.paths) == 5
    assert sorted(path for vote in job.votes for path in vote.paths) == [
        path.index for path in job.paths if path.status is PathStatus.ANSWERED
    ]
    sources = {step.source for path in job.paths for step in path.steps}
    assert sources == {Source.DRAFT, Source.REWRITTEN}
    assert job.usage.accepted_steps + job.usage.rewritten_steps == sum(len(path.steps) for path in job.paths)
    used = job.usage
    assert used.drafted_tokens == used.accepted_tokens + used.rejected_tokens + used.wasted_tokens
    assert job.created
    assert job.started
    assert job.finished
    assert job.created <= job.started <= job.finished


@pytest.mark.parametrize(
    ("mode", "paths", "sources", "strategies"),
    [
        (pb.MODE_BASELINE, 1, {Source.TARGET}, False),
        (pb.MODE_PARALLEL, 3, {Source.TARGET}, False),
        (pb.MODE_PARALLEL_SPM, 3, {Source.TARGET}, True),
        (pb.MODE_SSD, 1, {Source.DRAFT, Source.REWRITTEN}, False),
    ],
)
async def test_every_mode(stub: Stub, mode: pb.Mode, paths: int, sources: set[Source], strategies: bool) -> None:
    job = await solve(stub, mode=mode, paths=paths)
    assert len(job.paths) == paths
    assert {step.source for path in job.paths for step in path.steps} <= sources
    assert all(bool(path.strategy.code) == strategies for path in job.paths)
    assert job.status in (JobStatus.ANSWERED, JobStatus.NO_ANSWER)


async def test_a_cascade_drafts_first_and_then_has_the_target_write(stub: Stub) -> None:
    job = await solve(stub, mode=pb.MODE_CASCADE)
    assert (job.options.stop_rule, job.options.draft_paths, len(job.paths)) == (StopRule.EVIDENCE, 3, 7)
    assert {step.source for path in job.paths[:3] for step in path.steps} == {Source.DRAFT}
    assert {step.source for path in job.paths[3:] for step in path.steps} <= {Source.TARGET}
    assert all(vote.posterior is not None for vote in job.votes)
    assert not job.usage.scoring_tokens
    stopped = [path for path in job.paths if path.status is PathStatus.STOPPED]
    assert all("confidence" in path.reason or "min_gain" in path.reason for path in stopped)


async def test_a_repaired_path_goes_on_from_what_the_drafts_share(stub: Stub) -> None:
    wanted = {"stop_rule": pb.STOP_RULE_FULL, "repair_paths": 1, "paths": 5, "draft_paths": 3, "early_stop": False}
    jobs = [await solve(stub, mode=pb.MODE_CASCADE, seed=seed, **wanted) for seed in range(1, 9)]
    repaired = [job for job in jobs if job.paths[3].steps[0].source is Source.SHARED]
    assert repaired
    for job in repaired:
        shared = [step for step in job.paths[3].steps if step.source is Source.SHARED]
        drafts = [[step.text for step in path.steps] for path in job.paths[:3]]
        assert [step.text for step in shared] in [texts[: len(shared)] for texts in drafts]
        assert {step.source for step in job.paths[3].steps[len(shared) :]} == {Source.TARGET}
        assert {step.source for step in job.paths[4].steps} == {Source.TARGET}
        written = sum(s.tokens for path in job.paths for s in path.steps if s.source is Source.TARGET)
        assert job.usage.written_tokens == written
        assert job.usage.rejected_tokens == 0


@pytest.mark.parametrize(("domain", "refused"), [("choice", False), ("poetry", True)])
async def test_a_domain_is_known_or_refused(stub: Stub, domain: str, refused: bool) -> None:
    options = pb.Options(mode=pb.MODE_BASELINE, domain=domain)
    if refused:
        with pytest.raises(aio.AioRpcError, match="domain: .*known are mathematics"):
            await stub.Submit(pb.SolveRequest(problem=PROBLEM, options=options), timeout=LIMIT_S)
    else:
        job = await solve(stub, mode=pb.MODE_BASELINE, domain=domain)
        assert (job.options.domain, job.options.strategy_set) == ("choice", "choice")


@pytest.mark.parametrize(("paths", "begins"), [(2, True), (3, False)])
async def test_a_reserve_is_written_by_the_target_where_the_vote_is_open(stub: Stub, paths: int, begins: bool) -> None:
    """One drafted path leaves the vote to the reserve; two that agree do not."""
    job = await solve(stub, paths=paths, reserve=1)
    *drafted, reserve = job.paths
    assert {path.answer for path in drafted} == {truth(PROBLEM)}
    assert job.answer == truth(PROBLEM)
    assert (job.status, job.options.reserve) == (JobStatus.ANSWERED, 1)
    assert all(step.source is not Source.TARGET for path in drafted for step in path.steps)
    if begins:
        assert reserve.status is PathStatus.ANSWERED
        assert {(step.source, step.score) for step in reserve.steps} == {(Source.TARGET, 9.0)}
        assert job.usage.written_tokens == sum(step.tokens for step in reserve.steps)
    else:
        assert (reserve.status, reserve.steps) == (PathStatus.STOPPED, ())
        assert reserve.reason == "the vote was already decided"
        assert job.usage.written_tokens == 0


async def test_the_same_seed_gives_the_same_job_twice(stub: Stub) -> None:
    first, second = await solve(stub, seed=7), await solve(stub, seed=7)
    assert (first.answer, first.votes, first.paths) == (second.answer, second.votes, second.paths)
    assert (await solve(stub, seed=8)).paths != first.paths


async def test_an_absent_seed_is_chosen_and_reported(stub: Stub) -> None:
    job = job_from_wire(await stub.Solve(pb.SolveRequest(problem=PROBLEM), timeout=LIMIT_S))
    assert job.options.early_stop
    again = await solve(stub, seed=job.options.seed)
    assert {p.index: p.strategy for p in again.paths} == {p.index: p.strategy for p in job.paths}


async def test_events_report_the_whole_story(stub: Stub) -> None:
    stream = stub.SolveStream(request(paths=3), timeout=LIMIT_S)
    events = [event_from_wire(event) async for event in stream]
    kinds = [type(event.happening) for event in events]
    assert kinds[:3] == [Queued, Started, Selected]
    assert kinds[-1] is Finished
    assert kinds.count(Finished) == 1
    run = Run()
    for event in events:
        if isinstance(event.happening, Selected | StepCommitted | PathEnded):
            run = run.apply(event.happening)
    job = job_from_wire(await stub.Get(pb.GetRequest(job_id=events[0].job_id), timeout=LIMIT_S))
    assert run.paths == job.paths
    assert run.ledger.usage() == job.usage
    assert job.cursor == events[-1].cursor
    assert all(a.time <= b.time for a, b in pairwise(events))


async def test_a_watcher_joins_late_and_misses_nothing(stub: Stub) -> None:
    job = await solve(stub)
    events = await watch(stub, job.job_id)
    assert isinstance(events[-1].happening, Finished)
    for cut in (0, 3, len(events) - 1):
        assert await watch(stub, job.job_id, events[cut].cursor) == events[cut + 1 :]


async def test_a_watcher_sees_steps_while_the_job_runs(stub: Stub, system: System) -> None:
    system.target.faults.set(HANG)
    submitted = job_from_wire(await stub.Submit(request(), timeout=LIMIT_S))
    stream = stub.Watch(pb.WatchRequest(job_id=submitted.job_id), timeout=LIMIT_S)
    reader = aiter(stream)
    assert isinstance(event_from_wire(await anext(reader)).happening, Queued)
    assert isinstance(event_from_wire(await anext(reader)).happening, Started)
    stream.cancel()
    running = job_from_wire(await stub.Get(pb.GetRequest(job_id=submitted.job_id), timeout=LIMIT_S))
    assert running.status is JobStatus.RUNNING, "a watcher that leaves does not cancel the job"
    await stub.Cancel(pb.CancelRequest(job_id=submitted.job_id), timeout=LIMIT_S)


async def test_cancelling_reaches_the_engine(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    submitted = await stub.Submit(request(paths=4), timeout=LIMIT_S)
    await until(lambda: system.draft.activity.in_flight == 4)
    await stub.Cancel(pb.CancelRequest(job_id=submitted.job_id), timeout=LIMIT_S)
    async with asyncio.timeout(LIMIT_S):
        while system.draft.activity.in_flight:
            await asyncio.sleep(0.005)
    job = await ended(stub, submitted.job_id)
    assert job.status is JobStatus.CANCELLED
    assert system.draft.activity.cancelled == 4


async def test_a_cancelled_job_keeps_what_it_had(stub: Stub, system: System) -> None:
    system.draft.faults.set(FaultPlan(next_requests={}))
    submitted = await stub.Submit(request(paths=2), timeout=LIMIT_S)
    stream = stub.Watch(pb.WatchRequest(job_id=submitted.job_id), timeout=LIMIT_S)
    async for event in stream:
        if event.WhichOneof("kind") == "step_committed":
            system.draft.faults.set(HANG)
            break
    await until(lambda: system.draft.activity.in_flight > 0)
    await stub.Cancel(pb.CancelRequest(job_id=submitted.job_id), timeout=LIMIT_S)
    job = await ended(stub, submitted.job_id)
    assert job.status is JobStatus.CANCELLED
    assert any(path.steps for path in job.paths)


@pytest.mark.parametrize("call", ["Solve", "SolveStream"])
async def test_a_caller_who_leaves_solve_cancels_the_job(stub: Stub, system: System, call: str) -> None:
    system.draft.faults.set(HANG)
    ongoing = getattr(stub, call)(request(paths=2), timeout=LIMIT_S)
    reading = asyncio.ensure_future(anext(aiter(ongoing)) if call == "SolveStream" else ongoing)
    await until(lambda: system.draft.activity.in_flight == 2)
    ongoing.cancel()
    await asyncio.wait({reading})
    assert call == "SolveStream" or reading.cancelled()
    listed = await stub.List(pb.ListRequest(limit=1), timeout=LIMIT_S)
    assert (await ended(stub, listed.jobs[0].job_id)).status is JobStatus.CANCELLED
    await until(lambda: system.draft.activity.in_flight == 0)


@pytest.mark.parametrize("call", ["Solve", "SolveStream"])
async def test_the_deadline_of_the_call_itself_brings_what_there_is_in_time(
    stub: Stub, system: System, call: str
) -> None:
    """The caller gets a PARTIAL job, not DEADLINE_EXCEEDED."""
    system.draft.faults.set(HANG)
    if call == "Solve":
        job = job_from_wire(await stub.Solve(request(paths=2), timeout=5))
    else:
        events = [event_from_wire(event) async for event in stub.SolveStream(request(paths=2), timeout=5)]
        assert isinstance(events[-1].happening, Finished)
        job = events[-1].happening.job
    assert job.status is JobStatus.PARTIAL
    assert "the deadline of" in job.reason
    await until(lambda: system.draft.activity.in_flight == 0)


async def test_a_shorter_deadline_of_the_request_stays(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    job = await solve(stub, paths=2, deadline_s=0.2)
    assert job.reason == "the deadline of 0.2 s has passed"


async def test_cancelling_a_finished_job_changes_nothing(stub: Stub) -> None:
    job = await solve(stub)
    after = job_from_wire(await stub.Cancel(pb.CancelRequest(job_id=job.job_id), timeout=LIMIT_S))
    assert after == job


async def test_the_same_key_and_request_is_the_same_job(stub: Stub) -> None:
    first = await stub.Submit(request(key="k"), timeout=LIMIT_S)
    assert (await stub.Submit(request(key="k"), timeout=LIMIT_S)).job_id == first.job_id
    assert (await stub.Submit(request(key="other"), timeout=LIMIT_S)).job_id != first.job_id
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Submit(request(key="k", paths=2), timeout=LIMIT_S)
    assert caught.value.code() is StatusCode.ALREADY_EXISTS
    assert "idempotency_key" in (caught.value.details() or "")
    await ended(stub, first.job_id)


async def test_a_key_is_its_tenants_own(stub: Stub) -> None:
    ids = {
        (await stub.Submit(request(key="k"), timeout=LIMIT_S, metadata=metadata)).job_id
        for metadata in ((), (("x-ssr-tenant", "default"),), (("x-ssr-tenant", "school-7"),))
    }
    assert len(ids) == 2
    jobs = [await ended(stub, job_id) for job_id in ids]
    assert {job.tenant for job in jobs} == {"default", "school-7"}


async def test_a_tenant_that_is_no_name_is_refused(stub: Stub) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Submit(request(), timeout=LIMIT_S, metadata=(("x-ssr-tenant", "a b"),))
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    assert "tenant: 'a b' is none" in (caught.value.details() or "")


async def test_batch_jobs_wait_while_interactive_ones_start(services: Services) -> None:
    """All the room that batch jobs may have is taken, and nothing moves."""
    services.draft.faults.set(HANG)
    small = services.orchestrator.model_copy(update={"max_paths": 64, "batch_paths": 32})
    async with (
        running_orchestrator(small) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        batch = request(paths=16)
        batch.priority = pb.PRIORITY_BATCH
        waiting = [await stub.Submit(batch, timeout=LIMIT_S) for _ in range(3)]
        await until(lambda: services.draft.activity.in_flight == 32)
        quick = await stub.Submit(request(paths=16), timeout=LIMIT_S)
        await until(lambda: services.draft.activity.in_flight == 48)
        jobs = [job_from_wire(await stub.Get(pb.GetRequest(job_id=job.job_id), timeout=LIMIT_S)) for job in waiting]
        assert [job.status for job in jobs] == [JobStatus.RUNNING, JobStatus.RUNNING, JobStatus.QUEUED]
        assert {job.priority for job in jobs} == {Priority.BATCH}
        assert quick.priority == pb.PRIORITY_INTERACTIVE
        await stub.Cancel(pb.CancelRequest(job_id=jobs[0].job_id), timeout=LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            while await status(stub, jobs[2].job_id) is not JobStatus.RUNNING:
                await asyncio.sleep(0.005)


async def status(stub: Stub, job_id: str) -> JobStatus:
    return job_from_wire(await stub.Get(pb.GetRequest(job_id=job_id), timeout=LIMIT_S)).status


async def test_jobs_over_a_tenants_limit_wait_and_can_be_cancelled_there(services: Services) -> None:
    services.draft.faults.set(HANG)
    limited = services.orchestrator.model_copy(update={"tenant_jobs": 1})
    async with (
        Redis.from_url(services.redis_url) as redis,
        running_orchestrator(limited) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        running, waiting, last = [(await stub.Submit(request(paths=1), timeout=LIMIT_S)).job_id for _ in range(3)]
        other = await stub.Submit(request(paths=1), timeout=LIMIT_S, metadata=(("x-ssr-tenant", "other"),))
        await until(lambda: services.draft.activity.in_flight == 2)
        assert await status(stub, other.job_id) is JobStatus.RUNNING
        assert await status(stub, waiting) is await status(stub, last) is JobStatus.QUEUED
        await stub.Cancel(pb.CancelRequest(job_id=waiting), timeout=LIMIT_S)
        assert await status(stub, waiting) is JobStatus.CANCELLED
        services.draft.faults.set(FaultPlan())
        await stub.Cancel(pb.CancelRequest(job_id=running), timeout=LIMIT_S)
        assert (await ended(stub, last)).status is JobStatus.ANSWERED
        await stub.Cancel(pb.CancelRequest(job_id=other.job_id), timeout=LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            while await redis.hlen(UNFINISHED):
                await asyncio.sleep(0.005)
        assert not await redis.exists("ssr:{queue}:tenants")


async def test_a_job_whose_time_is_over_in_the_queue_ends_there(services: Services) -> None:
    services.draft.faults.set(HANG)
    small = services.orchestrator.model_copy(update={"max_paths": 16})
    async with (
        running_orchestrator(small) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        await stub.Submit(request(), timeout=LIMIT_S)
        await until(lambda: services.draft.activity.in_flight == 5)
        job = job_from_wire(await stub.Solve(request(), timeout=1))
    assert job.status is JobStatus.PARTIAL
    assert "has passed in the queue" in job.reason


async def test_jobs_are_listed_newest_first_in_pages(stub: Stub) -> None:
    ids = [(await solve(stub, paths=1)).job_id for _ in range(3)]
    first = await stub.List(pb.ListRequest(limit=2), timeout=LIMIT_S)
    assert [job.job_id for job in first.jobs] == [ids[2], ids[1]]
    rest = await stub.List(pb.ListRequest(limit=2, page_token=first.next_page_token), timeout=LIMIT_S)
    assert [job.job_id for job in rest.jobs] == [ids[0]]
    assert not rest.next_page_token
    assert not first.jobs[0].paths
    assert first.jobs[0].answer


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (pb.SolveRequest(), StatusCode.INVALID_ARGUMENT, "problem: is empty"),
        (pb.SolveRequest(problem="x" * 20_001), StatusCode.INVALID_ARGUMENT, "at most 20000"),
        (request(paths=17), StatusCode.INVALID_ARGUMENT, "paths: must be within 1..16; got 17"),
        (request(threshold=9.5), StatusCode.INVALID_ARGUMENT, "threshold: must be within 0..9"),
        (request(strategy_set="nope"), StatusCode.INVALID_ARGUMENT, "known are choice, code, competition, plain"),
        (request(mode=pb.MODE_SSD, paths=3), StatusCode.INVALID_ARGUMENT, "must be 1 in mode ssd"),
        (request(scorer="nope"), StatusCode.INVALID_ARGUMENT, "known are expected, greedy, judge"),
        (request(problem="seven " * 3_300), StatusCode.INVALID_ARGUMENT, "at most 2048 fit beside its solution"),
    ],
)
async def test_bad_requests_name_the_field_and_the_limit(
    stub: Stub, system: System, bad: pb.SolveRequest, code: StatusCode, words: str
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Solve(bad, timeout=LIMIT_S)
    assert caught.value.code() is code
    assert words in (caught.value.details() or "")
    assert not (await stub.List(pb.ListRequest(), timeout=LIMIT_S)).jobs


async def test_unknown_jobs_and_cursors(stub: Stub) -> None:
    calls = (
        stub.Get(pb.GetRequest(job_id="job-x"), timeout=LIMIT_S),
        stub.Cancel(pb.CancelRequest(job_id="job-x"), timeout=LIMIT_S),
        watch(stub, "job-x"),
    )
    for call in calls:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is StatusCode.NOT_FOUND
        assert "job-x" in (caught.value.details() or "")
    with pytest.raises(aio.AioRpcError) as caught:
        await watch(stub, "job-x", "yesterday")
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT


async def test_a_failing_engine_fails_the_job_with_its_reason(stub: Stub, system: System) -> None:
    system.target.faults.set(FaultPlan(rates={FaultKind.INCOMPLETE: 1.0}))
    job = await solve(stub, mode=pb.MODE_BASELINE)
    assert job.status is JobStatus.FAILED
    assert job.paths[0].status is PathStatus.FAILED
    assert "127.0.0.1" in job.error
    assert not job.votes


async def test_passing_engine_trouble_is_not_noticed(stub: Stub, system: System) -> None:
    calm = await solve(stub)
    for engine in (system.draft, system.target):
        engine.faults.set(FaultPlan(next_requests={FaultKind.OVERLOADED: 2, FaultKind.RESET: 1}))
    troubled = await solve(stub)
    assert (troubled.answer, troubled.votes, troubled.paths) == (calm.answer, calm.votes, calm.paths)


async def test_nothing_is_left_in_the_queue(stub: Stub, system: System) -> None:
    await asyncio.gather(*(solve(stub, seed=seed, paths=2) for seed in range(8)))
    async with Redis.from_url(system.redis_url) as redis, asyncio.timeout(LIMIT_S):
        while await redis.hlen(UNFINISHED):
            await asyncio.sleep(0.005)
        assert await redis.xlen(queue_stream("interactive")) == 0
        assert (await redis.xpending(queue_stream("interactive"), GROUP))["pending"] == 0
        keys = {key async for key in redis.scan_iter("ssr:{*") if not key.startswith(b"ssr:{scaling}:")}
        jobs = {key for key in keys if not key.startswith(b"ssr:{queue}:")}
        assert len(jobs) == 2 * 8
        for key in jobs:
            assert await redis.ttl(key) > 0, f"{key!r} would stay for ever"
        assert keys - jobs <= {
            b"ssr:{queue}:interactive",
            b"ssr:{queue}:batch",
            b"ssr:{queue}:index",
            b"ssr:{queue}:listed",
            b"ssr:{queue}:replicas",
            b"ssr:{queue}:mark",
        }


async def test_any_replica_answers_for_any_job(system: System, stub: Stub) -> None:
    job = await solve(stub)
    other = system.orchestrator.model_copy(update={"replica": "another"})
    async with (
        running_orchestrator(other) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        elsewhere = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        assert job_from_wire(await elsewhere.Get(pb.GetRequest(job_id=job.job_id), timeout=LIMIT_S)) == job
        assert await watch(elsewhere, job.job_id) == await watch(stub, job.job_id)


async def test_a_deadline_ends_a_job_with_the_best_answer_so_far(stub: Stub, system: System) -> None:
    system.draft.faults.set(HANG)
    job = await solve(stub, paths=3, deadline_s=0.3)
    assert (job.status, job.answer) == (JobStatus.PARTIAL, "")
    assert job.reason == "the deadline of 0.3 s has passed"
    assert {path.status for path in job.paths} == {PathStatus.STOPPED}
    await until(lambda: system.draft.activity.in_flight == 0)


async def test_a_token_budget_ends_a_job_with_what_it_has(stub: Stub) -> None:
    job = await solve(stub, paths=5, max_tokens=100)
    assert job.status is JobStatus.PARTIAL
    assert "of max_tokens=100 tokens are used" in job.reason
    assert 100 <= sum(model.generated_tokens for model in job.usage.models) < 300
