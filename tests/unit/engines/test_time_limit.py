"""One timer for many waits: each has its own deadline, and cancellation stays cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ssr.engines.time_limit import TimeLimit


@pytest.fixture
async def limit() -> AsyncIterator[TimeLimit]:
    found = TimeLimit()
    yield found
    found.close()


def after(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_wait_past_its_deadline_ends(limit: TimeLimit) -> None:
    with pytest.raises(TimeoutError):
        await limit.within(asyncio.Event().wait(), after(0.01))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_waits_in_time_move_the_limit_on(limit: TimeLimit) -> None:
    """All together take longer than one of them may."""
    for _ in range(5):
        assert await limit.within(asyncio.sleep(0.02, "came"), after(0.06)) == "came"
    with pytest.raises(TimeoutError):
        await limit.within(asyncio.Event().wait(), after(0.01))


async def test_a_shorter_wait_behind_a_longer_one_keeps_its_own_deadline(limit: TimeLimit) -> None:
    await limit.within(asyncio.sleep(0), after(60))
    with pytest.raises(TimeoutError):
        await limit.within(asyncio.Event().wait(), after(0.01))


async def test_what_is_done_between_two_waits_is_not_counted(limit: TimeLimit) -> None:
    await limit.within(asyncio.sleep(0), after(0.01))
    await asyncio.sleep(0.03)
    assert await limit.within(asyncio.sleep(0, "came"), after(60)) == "came"
    with pytest.raises(TimeoutError):
        await limit.within(asyncio.Event().wait(), after(0.01))


async def test_a_cancelled_wait_is_cancelled(limit: TimeLimit) -> None:
    waiting = asyncio.create_task(limit.within(asyncio.Event().wait(), after(60)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_failures_pass_through(limit: TimeLimit) -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await limit.within(fail(), after(60))


async def test_waits_of_several_tasks_in_turn(limit: TimeLimit) -> None:
    """A generator is read by whoever asks next."""
    assert await asyncio.create_task(limit.within(asyncio.sleep(0, 1), after(60))) == 1
    with pytest.raises(TimeoutError):
        await asyncio.create_task(limit.within(asyncio.Event().wait(), after(0.01)))
