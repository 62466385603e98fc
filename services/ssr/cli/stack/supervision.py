"""All parts of the stack together: started side by side, kept running, ended in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

from ssr.cli.stack.parts import Part, Tier, in_ending_order
from ssr.cli.stack.supervisor import Supervisor, Surroundings
from ssr.core.errors import single_error

_Tasks = Mapping[Supervisor, "asyncio.Task[None]"]


@contextmanager
def lifeline() -> Iterator[int]:
    """What tethered processes have as standard input: it ends with the block, or with this process."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


@asynccontextmanager
async def running_parts(parts: Sequence[Part], surroundings: Surroundings) -> AsyncIterator[Sequence[Supervisor]]:
    """All parts, serving until the block ends and started again when they die; none is left then.

    A cancellation while they are being ended kills those that are left at once.
    Raises: Unavailable when one does not start or, in the block, dies too often.
    """
    supervisors = [Supervisor(part, surroundings) for part in parts]
    tasks: dict[Supervisor, asyncio.Task[None]] = {}
    try:
        async with asyncio.TaskGroup() as group:
            try:
                for wave in _waves(supervisors):
                    tasks |= {one: group.create_task(one.run(), name=one.part.name) for one in wave}
                    for one in wave:
                        await one.up.wait()
                yield supervisors
            finally:
                await _end(supervisors, tasks)
    except BaseExceptionGroup as failures:
        raise single_error(failures) from None


def _waves(supervisors: Sequence[Supervisor]) -> Iterator[Sequence[Supervisor]]:
    """Redis first, which takes no time. The others bear that what they need is not up yet, and start side by side."""
    yield [one for one in supervisors if one.part.tier is Tier.STATE]
    yield [one for one in supervisors if one.part.tier is not Tier.STATE]


async def _end(supervisors: Sequence[Supervisor], tasks: _Tasks) -> None:
    ending = asyncio.ensure_future(_end_in_order(supervisors, tasks))
    hurried: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            hurried = error
            for one in supervisors:
                one.kill()
    ending.result()
    if hurried is not None:
        raise hurried


async def _end_in_order(supervisors: Sequence[Supervisor], tasks: _Tasks) -> None:
    by_part = {one.part.name: one for one in supervisors}
    for parts in in_ending_order([one.part for one in supervisors]):
        tier = [by_part[part.name] for part in parts]
        running = [tasks[one] for one in tier if one in tasks]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        async with asyncio.TaskGroup() as group:
            for one in tier:
                group.create_task(one.stop())
