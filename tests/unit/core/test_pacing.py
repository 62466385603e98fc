"""Drafts that come sooner than verdicts are asked for one by one, others are one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from tree_models import OPTIONS, MemoryJournal, TreeModels

from ssr.core.lookahead import Pacing
from ssr.core.solve import solve
from ssr.core.stages import OnRejected, Verdict, Written, unheard
from ssr.core.types import Options, PathContext, Step


class Paced(TreeModels):
    """Drafts and verdicts take so many turns of the loop. `asked` has the `most` of every stream of drafts, `heard`
    whether each verdict was to report a rejection at once."""

    def __init__(self, draft: int, verdict: int, steps: int = 12) -> None:
        super().__init__([steps])
        self._draft, self._verdict = draft, verdict
        self.asked: list[int] = []
        self.heard: list[bool] = []
        self._turns_left = 0

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        self.asked.append(most)
        async with aclosing(super().stream(context, options, most=most)) as steps:
            async for written in steps:
                yield written

    async def write(self, context: PathContext, options: Options) -> Written:
        await turns(self._draft)
        return await super().write(context, options)

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        self.heard.append(rejected is not unheard)
        await turns(self._verdict)
        return await super().verify(context, step, options, rejected)

    async def _while(self) -> None:
        """No random while beside the pace."""


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def solved(models: Paced, pacing: Pacing, lookahead: int = 1) -> None:
    stages = replace(models.stages(), pacing=pacing)
    await solve("job", "p", replace(OPTIONS, lookahead=lookahead), stages, MemoryJournal())


async def test_drafts_that_outrun_their_verdicts_are_asked_for_one_by_one() -> None:
    models = Paced(draft=1, verdict=40)
    await solved(models, Pacing())
    assert models.asked == [0, *[1] * 10]  # the first stream gave two
    assert not any(models.heard[2:]), "nothing under way is worth an early word"


async def test_the_next_path_begins_with_what_is_known() -> None:
    pacing = Pacing()
    await solved(Paced(draft=1, verdict=40), pacing)
    models = Paced(draft=1, verdict=40)
    await solved(models, pacing)
    assert set(models.asked) == {1}


async def test_drafts_that_come_later_are_one_stream() -> None:
    models = Paced(draft=40, verdict=1)
    await solved(models, Pacing())
    assert models.asked == [0]
    assert all(models.heard[:-1])


async def test_a_stream_that_ends_to_spare_waste_says_nothing_of_the_pace() -> None:
    """Many rewrites, and little may be wasted: now and then nothing is drafted ahead."""
    models, pacing = Paced(draft=40, verdict=1, steps=30), Pacing()
    models._rejected = frozenset((0, index) for index in range(0, 30, 2))
    stages = replace(models.stages(), pacing=pacing)
    await solve("job", "p", replace(OPTIONS, lookahead=1, max_waste=0.05), stages, MemoryJournal())
    assert 1 in models.asked
    assert not pacing.outrun


def test_drafts_that_became_late_stream_again() -> None:
    pacing = Pacing()
    pacing.far_enough()
    for _ in range(100):
        pacing.waited(0.0, 1.0)
        pacing.waited(0.4, 1.0)
    assert pacing.outrun
    for _ in range(20):
        pacing.waited(0.6, 1.0)
    assert not pacing.outrun


def test_a_few_late_drafts_change_nothing() -> None:
    pacing = Pacing()
    pacing.far_enough()
    for _ in range(100):
        pacing.waited(5.0, 1.0)
        pacing.waited(0.0, 1.0)
        pacing.waited(0.0, 1.0)
    assert pacing.outrun
