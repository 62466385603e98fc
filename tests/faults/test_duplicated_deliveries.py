"""A queue that delivers a job more than once: it still is one job with one result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from calm import calm_ends
from checks import wrong_with
from cluster import running_valkey
from customers import Story, read_again
from leftovers import deliver_again, redis_leftovers
from small_stack import SmallStack, running_small_stack
from workload import Ending, Order

from ssr.client.request import SolveOptions
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan

PATHS = 3
OPTIONS = SolveOptions(paths=PATHS, seed=7, early_stop=False)
ORDER = Order("order", 0, "What is ((5 + 9) * 3 - 8) * 2 + 6?", OPTIONS, Ending.EXACT)
#: More than there are replicas.
TIMES = 3


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[SmallStack]:
    async with running_valkey(tmp_path) as valkey, running_small_stack(valkey.redis_url) as running:
        yield running


async def assert_one_job(stack: SmallStack, job_ids: list[str]) -> None:
    """Every job ends once, exactly as without faults, and nothing of its deliveries is left."""
    calm = (await calm_ends([ORDER]))[ORDER.variant]
    async with stack.replica("reader") as client:
        stories = [Story(ORDER, job_id) for job_id in job_ids]
        for story in stories:
            await read_again(client, story)
            story.live = story.replay
        faults = [fault for story in stories for fault in wrong_with(story, calm)]
        faults += await redis_leftovers(stack.orchestrator.redis_url, [story.job for story in stories if story.job])
    assert faults == []


async def test_of_a_queued_job(stack: SmallStack) -> None:
    """It is delivered again and again before anybody has time for it."""
    stack.plan(FaultPlan(rates={FaultKind.HANG: 1.0}))
    async with stack.replica("first", max_paths=PATHS, batch_paths=PATHS) as client:
        blocker = (await client.submit(ORDER.problem, **OPTIONS)).job_id
        job_id = (await client.submit(ORDER.problem, **OPTIONS)).job_id
        for _ in range(TIMES):
            await deliver_again(stack.orchestrator.redis_url, job_id, PATHS)
    stack.plan(FaultPlan())
    async with stack.replica("second"), stack.replica("third"):
        await assert_one_job(stack, [blocker, job_id])


async def test_of_a_running_job(tmp_path: Path) -> None:
    """Others get it while its owner is in the middle of a step."""
    async with (
        running_valkey(tmp_path) as valkey,
        running_small_stack(valkey.redis_url, time_scale=1.0) as stack,
        stack.replica("first") as client,
        stack.replica("second"),
        stack.replica("third"),
    ):
        job_id = (await client.submit(ORDER.problem, **OPTIONS)).job_id
        await stack.drafting(1)
        for _ in range(TIMES):
            await deliver_again(valkey.redis_url, job_id, PATHS)
        await assert_one_job(stack, [job_id])


async def test_of_a_finished_job(stack: SmallStack) -> None:
    async with stack.replica("first") as client:
        job_id = (await client.solve(ORDER.problem, **OPTIONS)).job_id
        for _ in range(TIMES):
            await deliver_again(stack.orchestrator.redis_url, job_id, PATHS)
        await assert_one_job(stack, [job_id])
