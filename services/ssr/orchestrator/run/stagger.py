"""Paths that begin one behind the other: engines whose requests draft for each other gain most by those ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ssr.core.stages import Stages, StepWriter, Written
from ssr.core.types import Options, PathContext


def staggered(stages: Stages, stagger_s: float) -> Stages:
    """The stages, writing the first step of each path `stagger_s` seconds later than that of the path before it.

    Paths of later waves begin when all before them have ended, and are not delayed further.
    """
    if not stagger_s:
        return stages
    drafter, writer = (_StaggeredWriter(one, stagger_s) for one in (stages.drafter, stages.writer))
    return replace(stages, drafter=drafter, writer=writer)


class _StaggeredWriter:
    def __init__(self, writer: StepWriter, stagger_s: float) -> None:
        self._writer, self._stagger_s = writer, stagger_s

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        if not context.steps and context.path < options.waves[0]:
            await asyncio.sleep(context.path * self._stagger_s)
        async with aclosing(self._writer.stream(context, options, most=most)) as steps:
            async for written in steps:
                yield written
