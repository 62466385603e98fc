"""Steps pass the gate while it is open; then what has begun is finished and nothing begins."""

from __future__ import annotations

import asyncio

import pytest

from ssr.core.run import PathEnded, Run, Selected, StepCommitted
from ssr.core.types import PathStatus, Source, Step
from ssr.orchestrator.run.step_barrier import StepBarrier


class Appended:
    """A journal that takes everything."""

    async def load(self) -> Run:
        return Run()

    async def append(self, decision: object) -> None:
        pass


def committed(path: int) -> StepCommitted:
    return StepCommitted(path, Step(0, "x", Source.DRAFT, 1))


async def turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_closing_waits_for_what_has_begun_on_every_path() -> None:
    barrier = StepBarrier()
    journal = barrier.journal(Appended())
    await barrier.begin(0)
    await barrier.begin(1)
    closing = asyncio.create_task(barrier.close(60))
    await turns()
    await journal.append(committed(0))
    await turns()
    assert not closing.done()
    await journal.append(PathEnded(1, PathStatus.FAILED))
    await closing


async def test_a_step_that_has_begun_goes_on_and_no_other_begins() -> None:
    barrier = StepBarrier()
    await barrier.begin(0)
    closing = asyncio.create_task(barrier.close(60))
    await turns()
    await barrier.begin(0)  # its verification
    other = asyncio.create_task(barrier.begin(1))
    barrier.committed(0)
    await closing
    next_step = asyncio.create_task(barrier.begin(0))
    await turns()
    assert not other.done()
    assert not next_step.done()
    for task in (other, next_step):
        task.cancel()


async def test_the_selection_is_a_step_too() -> None:
    barrier = StepBarrier()
    journal = barrier.journal(Appended())
    await barrier.begin(-1)
    closing = asyncio.create_task(barrier.close(60))
    await turns()
    assert not closing.done()
    await journal.append(Selected(()))
    await closing


async def test_closing_has_a_limit() -> None:
    barrier = StepBarrier()
    await barrier.begin(0)
    with pytest.raises(TimeoutError):
        await barrier.close(0.001)


async def test_closing_an_idle_gate_does_not_wait() -> None:
    await StepBarrier().close(60)
