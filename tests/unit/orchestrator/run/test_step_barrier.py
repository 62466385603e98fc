"""Steps pass the barrier while it is open; then what has begun is finished and nothing begins."""

from __future__ import annotations

import asyncio

import pytest
from tree_models import TOKENS, MemoryJournal, TreeModels, many

from ssr.core.run import Decision, PathEnded, Run, Selected, StepCommitted
from ssr.core.solve import solve
from ssr.core.stages import Written
from ssr.core.types import Call, CallKind, Options, PathContext, PathStatus, Source, Step
from ssr.orchestrator.run.step_barrier import StepBarrier


class Appended:
    """A journal that takes everything."""

    async def load(self) -> Run:
        return Run()

    async def append(self, decision: object) -> None:
        pass


def committed(path: int) -> StepCommitted:
    return StepCommitted(path, Step(0, "x", Source.DRAFT, 1))


async def turns(count: int = 5) -> None:
    """Let every task that can go on do so, so many times."""
    for _ in range(count):
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


async def test_closing_an_idle_barrier_does_not_wait() -> None:
    await StepBarrier().close(60)


class Counting(TreeModels):
    """Every path counts to four, a result a step; path 0 begins when the others have ended."""

    async def write(self, context: PathContext, options: Options) -> Written:
        at = len(context.steps)
        if context.path == 0 and at == 0:
            await turns(400)
        end = " \\boxed{4}" if at == 3 else ""
        step = Step(at, f"By way {context.path}: {at} + 1 = {at + 1}{end}", Source.DRAFT, TOKENS)
        return Written(step, (Call(CallKind.DRAFT, "small", 1, 50, 40, TOKENS),))


class ClosedBehindTheFirstStep(MemoryJournal):
    """Its barrier closes while the first step of path 0 becomes durable, when all drafts behind it are written."""

    def __init__(self, barrier: StepBarrier) -> None:
        super().__init__()
        self.barrier = barrier
        self.closing: asyncio.Task[None] | None = None

    async def append(self, decision: Decision) -> None:
        await super().append(decision)
        if isinstance(decision, StepCommitted) and decision.path == 0 and self.closing is None:
            self.closing = asyncio.create_task(self.barrier.close(60))
            await turns(100)


async def test_drafts_written_ahead_that_siblings_confirm_wait_at_the_barrier() -> None:
    """They need no call, so nothing but the barrier holds them when their replica leaves."""
    barrier = StepBarrier()
    journal = ClosedBehindTheFirstStep(barrier)
    models = Counting([4, 4, 4])
    stages = barrier.stages(models.stages())
    solving = asyncio.create_task(solve("job", "p", many(3, 4, scorer="agreement"), stages, barrier.journal(journal)))
    while journal.closing is None:
        await turns()
    await asyncio.wait_for(journal.closing, 60)
    await turns(100)
    assert not solving.done()
    solving.cancel()
    await asyncio.gather(solving, return_exceptions=True)
    assert 0 not in {context.path for context, _ in models.judged}
    assert [step.step.index for step in journal.steps(0)] == [0]
