"""Engines that hang, refuse, break off or never stop: what a retry can mend is mended, what it cannot fails in time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from calm import calm_ends
from checks import sequence_faults, wrong_with
from cluster import running_valkey
from customers import whole_story
from leftovers import redis_leftovers
from small_stack import SmallStack, running_small_stack
from workload import Ending, Order

from ssr.client.request import SolveOptions
from ssr.core.job import JobStatus
from ssr.core.run import PathEnded
from ssr.core.types import PathStatus
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan

ORDER = Order(
    "order", 0, "What is (12 * 7) + 19 - 3 * 4?", SolveOptions(paths=5, seed=4, early_stop=False), Ending.EXACT
)
#: Cut off soon, but not where the machine is merely busy.
ENGINE_TIMEOUT_S = 1.0
STEP_TIMEOUT_S = 15.0
#: Faults that a second try, or another replica, makes good.
MENDED = [
    FaultKind.OVERLOADED,
    FaultKind.FAILED,
    FaultKind.INCOMPLETE,
    FaultKind.RESET,
    FaultKind.TRUNCATED,
    FaultKind.HANG,
    FaultKind.FLOOD,
]
#: Those that cost the engine's whole timeout each time.
SLOW = (FaultKind.HANG, FaultKind.FLOOD)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[SmallStack]:
    async with (
        running_valkey(tmp_path) as valkey,
        running_small_stack(
            valkey.redis_url, engine_timeout_s=ENGINE_TIMEOUT_S, step_timeout_s=STEP_TIMEOUT_S
        ) as running,
    ):
        yield running


@pytest.mark.parametrize("kind", MENDED)
async def test_some_faults_of_every_replica_change_nothing(stack: SmallStack, kind: FaultKind) -> None:
    """The first request of every replica meets the fault."""
    calm = (await calm_ends([ORDER]))[ORDER.variant]
    stack.plan(FaultPlan(next_requests={kind: 1}))
    async with stack.replica("only") as client:
        story = await whole_story(client, ORDER)
        assert story.job is not None
        assert wrong_with(story, calm) == []
        assert await redis_leftovers(stack.orchestrator.redis_url, [story.job]) == []
    assert all(engine.faults.dealt[kind] > 0 for engine in stack.engines)
    assert not any(engine.activity.in_flight for engine in stack.engines)


@pytest.mark.parametrize("kind", SLOW)
async def test_a_replica_that_never_answers_is_left_alone(stack: SmallStack, kind: FaultKind) -> None:
    """One draft replica swallows every request: its circuit opens, and the other one does the work."""
    calm = (await calm_ends([ORDER]))[ORDER.variant]
    stack.drafts[0].faults.set(FaultPlan(rates={kind: 1.0}))
    async with stack.replica("only") as client:
        story = await whole_story(client, ORDER)
        assert wrong_with(story, calm) == []
    calls = len([event for event in story.live if hasattr(event.happening, "step")])
    assert stack.drafts[0].faults.dealt[kind] < calls / 2  # else every step would have gone there first


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.FLOOD, FaultKind.FAILED, FaultKind.TRUNCATED])
async def test_when_no_replica_works_the_job_fails_in_time_and_says_why(tmp_path: Path, kind: FaultKind) -> None:
    async with (
        running_valkey(tmp_path) as valkey,
        running_small_stack(valkey.redis_url, engine_timeout_s=0.3, step_timeout_s=1.0) as stack,
        stack.replica("only") as client,
    ):
        for engine in stack.drafts:
            engine.faults.set(FaultPlan(rates={kind: 1.0}))
        started = time.monotonic()
        story = await whole_story(client, ORDER)
        assert time.monotonic() - started < 8
        assert list(sequence_faults(story.replay)) == []
        job = story.job
        assert job is not None
        assert (job.status, job.answer, job.votes) == (JobStatus.FAILED, "", ())
        assert {path.status for path in job.paths} == {PathStatus.FAILED}
        assert all(path.reason for path in job.paths)
        assert job.error == job.paths[0].reason
        assert await redis_leftovers(valkey.redis_url, [job]) == []


async def test_failed_paths_do_not_vote(tmp_path: Path) -> None:
    """The draft engines break when the first path has its answer: the others fail, and it alone is counted."""
    async with (
        running_valkey(tmp_path) as valkey,
        running_small_stack(valkey.redis_url, step_timeout_s=3.0, time_scale=0.5) as stack,
        stack.replica("only") as client,
    ):
        submitted = await client.submit(ORDER.problem, **ORDER.options)
        async for event in client.watch(submitted.job_id):
            if isinstance(event.happening, PathEnded) and event.happening.status is PathStatus.ANSWERED:
                stack.plan(FaultPlan(rates={FaultKind.FAILED: 1.0}))
        job = await client.get(submitted.job_id)
    answered = [path.index for path in job.paths if path.status is PathStatus.ANSWERED]
    failed = [path.index for path in job.paths if path.status is PathStatus.FAILED]
    assert job.status is JobStatus.ANSWERED
    assert failed
    assert sorted(index for vote in job.votes for index in vote.paths) == answered


async def test_a_text_that_ignores_its_stops_ends_at_the_steps_limit(stack: SmallStack) -> None:
    for engine in stack.engines:
        engine.faults.set(FaultPlan(rates={FaultKind.ENDLESS: 1.0}))
    async with stack.replica("only") as client:
        limits = SolveOptions(paths=2, seed=4, max_step_tokens=32, max_path_tokens=128)
        story = await whole_story(client, Order("endless", 0, ORDER.problem, limits, Ending.EXACT))
    job = story.job
    assert job is not None
    assert job.status.final
    assert all(step.tokens <= 32 for path in job.paths for step in path.steps)
    assert list(sequence_faults(story.replay)) == []
