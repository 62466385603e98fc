"""One failure between an orchestrator and Redis at every point of a job's life, one point after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from calm import CalmEnd, calm_ends
from checks import wrong_with
from cluster import running_valkey
from customers import whole_story
from cutting_proxy import CuttingProxy, Lost, running_proxy
from leftovers import redis_leftovers
from redis.asyncio import Redis
from small_stack import SmallStack, running_small_stack
from workload import Ending, Order

from ssr.client import AsyncClient
from ssr.client.request import SolveOptions

if TYPE_CHECKING:
    from fault_scale import Scale

ORDER = Order("order", 0, "What is (12 * 7) + 19?", SolveOptions(mode="ssd", seed=4, early_stop=False), Ending.EXACT)
#: Points tried at a time, each in a database of its own.
_AT_A_TIME = 8
#: For one point: a replica without Redis may take some ten seconds to end, and many times that on a busy machine.
_LIMIT_S = 150.0
#: No job's life has so many.
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Place:
    """Where the points are tried."""

    stack: SmallStack
    redis_port: int
    calm: CalmEnd

    async def try_point(self, point: int, database: int, lost: Lost, *, heals: bool) -> tuple[bool, list[str]]:
        """Whether the job's life reached this point, and what is wrong after a failure there."""
        url = f"redis://127.0.0.1:{self.redis_port}/{database}"
        async with running_proxy(self.redis_port, cut_at=point, lost=lost, heals=heals) as proxy:
            through = proxy.url(database)
            try:
                async with asyncio.timeout(_LIMIT_S):
                    faults = await (self._healed(through, url) if heals else self._inherited(proxy, through, url))
            except TimeoutError:
                faults = [f"the job has no end after {_LIMIT_S:g} s"]
            reached = proxy.cut.is_set()
        await _emptied(url)
        return reached, [f"{lost} {point} ({proxy.cut_command}) lost: {fault}" for fault in faults]

    async def _healed(self, through: str, direct: str) -> list[str]:
        """The replica goes on after a moment without Redis."""
        async with self.stack.replica("only", redis_url=through) as client:
            return await self._faults(client, direct)

    async def _inherited(self, proxy: CuttingProxy, through: str, direct: str) -> list[str]:
        """The replica is lost at that moment; its caller asks another one again."""
        async with self.stack.replica("first", redis_url=through) as client:
            first = asyncio.create_task(whole_story(client, ORDER))
            cut = asyncio.create_task(proxy.cut.wait())
            await asyncio.wait({first, cut}, return_when=asyncio.FIRST_COMPLETED)
            for task in (first, cut):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        async with self.stack.replica("second", redis_url=direct) as client:
            return await self._faults(client, direct)

    async def _faults(self, client: AsyncClient, url: str) -> list[str]:
        """What is wrong with the job, or left of it while a replica is there to clear up."""
        story = await whole_story(client, ORDER)
        assert story.job is not None
        return [*wrong_with(story, self.calm), *await redis_leftovers(url, [story.job])]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    calm = (await calm_ends([ORDER]))[ORDER.variant]
    async with running_valkey(tmp_path) as valkey, running_small_stack(valkey.redis_url) as stack:
        yield Place(stack, int(valkey.addresses("redis")[0].rpartition(":")[2]), calm)


@pytest.mark.timeout(540)
@pytest.mark.parametrize("heals", [True, False], ids=["redis-comes-back", "replica-is-lost"])
@pytest.mark.parametrize("lost", Lost)
async def test_a_failure_at_any_point_changes_nothing(
    place: Place, scale: Scale, report: Callable[[str], object], lost: Lost, heals: bool
) -> None:
    points = range(1, _MOST_POINTS, scale.stride)
    faults: list[str] = []
    reached, tried = True, 0
    for first in range(0, len(points), _AT_A_TIME):
        batch = points[first : first + _AT_A_TIME]
        trials = (place.try_point(point, database, lost, heals=heals) for database, point in enumerate(batch))
        results = await asyncio.gather(*trials)
        faults += [fault for _, found in results for fault in found]
        tried += sum(one for one, _ in results)
        reached = all(one for one, _ in results)
        if faults or not reached:
            break
    report(f"a {lost} lost, {'Redis comes back' if heals else 'the replica is lost'}: {tried} points tried")
    assert not faults, "\n".join(faults)
    assert not reached, f"a job's life has more than {_MOST_POINTS} points"


async def _emptied(url: str) -> None:
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
