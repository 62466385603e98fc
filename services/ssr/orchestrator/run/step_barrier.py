"""Stopping a run at a step boundary: steps that have begun are finished and committed, none begins any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ssr.core.journal import Journal
from ssr.core.run import Decision, Run, Selected
from ssr.core.stages import Selection, Selector, Stages, StepWriter, Written
from ssr.core.types import Options, PathContext

#: The place of the selection among the paths.
_SELECTION = -1


class StepBarrier:
    """Lets the steps of one run begin until it is closed. `stages` and `journal` make what the run uses pass by it."""

    def __init__(self) -> None:
        self._closed = False
        self._busy: set[int] = set()
        self._quiet = asyncio.Event()

    def stages(self, stages: Stages) -> Stages:
        return replace(
            stages,
            selector=_BarrierSelector(self, stages.selector),
            drafter=_BarrierWriter(self, stages.drafter),
            writer=_BarrierWriter(self, stages.writer),
            judging=self.begin,  # a draft that was written ahead has not begun in the sense of the barrier
        )

    def journal(self, journal: Journal) -> Journal:
        return _BarrierJournal(self, journal)

    async def begin(self, path: int) -> None:
        """A step of the path begins, or goes on; once it is closed only the latter, the former waits for ever."""
        if self._closed and path not in self._busy:
            await asyncio.Event().wait()
        self._busy.add(path)

    def committed(self, path: int) -> None:
        """What had begun on the path is durable."""
        self._busy.discard(path)
        if not self._busy:
            self._quiet.set()

    async def close(self, timeout_s: float) -> None:
        """Wait until all that had begun is durable, not longer than `timeout_s` seconds."""
        self._closed = True
        self._quiet.clear()
        if self._busy:
            async with asyncio.timeout(timeout_s):
                await self._quiet.wait()


class _BarrierSelector:
    def __init__(self, barrier: StepBarrier, selector: Selector) -> None:
        self._barrier, self._selector = barrier, selector

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        await self._barrier.begin(_SELECTION)
        return await self._selector.select(job_id, problem, options)


class _BarrierWriter:
    def __init__(self, barrier: StepBarrier, writer: StepWriter) -> None:
        self._barrier, self._writer = barrier, writer

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        async with aclosing(self._writer.stream(context, options, most=most)) as steps:
            while True:
                await self._barrier.begin(context.path)
                written = await anext(steps, None)
                if written is None:
                    return
                yield written


class _BarrierJournal:
    def __init__(self, barrier: StepBarrier, journal: Journal) -> None:
        self._barrier, self._journal = barrier, journal

    async def load(self) -> Run:
        return await self._journal.load()

    async def append(self, decision: Decision) -> None:
        await self._journal.append(decision)
        self._barrier.committed(_SELECTION if isinstance(decision, Selected) else decision.path)
