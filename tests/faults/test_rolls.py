"""Everything is rolled while jobs run, as by an upgrade: no job fails, none is lost, and each ends as without it.

The full form (SSR_FAULTS=full) is one test for each kind of roll and number of replicas, each a few minutes long:
`pytest tests/faults/test_rolls.py -k "engines and two"` runs one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from calm import CalmEnd, calm_ends
from chaos import Progress
from checks import wrong_with
from cluster import Cluster, role_of, running_cluster
from customers import Story, read_back, serve_until
from fault_scale import FULL
from leftovers import engine_leftovers, redis_leftovers
from workload import Order, workload

from ssr.core.job import JobStatus

if TYPE_CHECKING:
    from fault_scale import Scale


class Roll(StrEnum):
    """What is rolled while jobs run, again and again."""

    SERVICES = "services"  #: each replica of each service, one after the other
    REDIS = "redis"
    ENGINES = "engines"  #: each engine, one after the other
    TOGETHER = "together"  #: all there is at once
    SHORT = "short"  #: the target engines, then all there is at once: processes take a while to start

    def rounds(self, names: Sequence[str]) -> list[list[str]]:
        """Which parts are rolled at once, in this order."""
        if self is Roll.TOGETHER:
            return [list(names)]
        if self is Roll.SHORT:
            return [[name for name in names if role_of(name) == "target-engine"], list(names)]
        kinds = {"redis": Roll.REDIS, "draft-engine": Roll.ENGINES, "target-engine": Roll.ENGINES}
        return [[name] for name in names if kinds.get(role_of(name), Roll.SERVICES) is self]


#: Different requests of one test; each is asked many times.
_VARIANTS = 12
_LIMIT_S = 540
#: Steps between two rolls: the work goes on.
_BETWEEN = 200 if FULL else 60

Report = Callable[[str], object]


@pytest.mark.timeout(600)
async def test_single_replicas_are_rolled(scale: Scale, tmp_path: Path, report: Report) -> None:
    """One replica of everything: nothing stands in for it."""
    await _rolled(Roll.SHORT, 1, scale, tmp_path, report)


@pytest.mark.timeout(600)
@pytest.mark.skipif(not FULL, reason="minutes each; SSR_FAULTS=full")
@pytest.mark.parametrize("replicas", [1, 2], ids=["single", "two"])
@pytest.mark.parametrize("roll", [Roll.SERVICES, Roll.REDIS, Roll.ENGINES, Roll.TOGETHER])
async def test_no_roll_loses_a_job(roll: Roll, replicas: int, scale: Scale, tmp_path: Path, report: Report) -> None:
    await _rolled(roll, replicas, scale, tmp_path, report)


async def _rolled(roll: Roll, replicas: int, scale: Scale, folder: Path, report: Report) -> None:
    orders = workload(scale.seed, _VARIANTS, twins=1)
    calm = await calm_ends(orders)
    progress, enough, started = Progress(), asyncio.Event(), time.monotonic()
    async with running_cluster(folder, replicas) as cluster, asyncio.timeout(_LIMIT_S):
        async with asyncio.TaskGroup() as group:
            customers = serve_until(cluster.address, _again_and_again(orders), scale.at_a_time, progress, enough)
            serving = group.create_task(customers, name="customers")
            rolled = 0
            while not rolled or progress.jobs < scale.rolled:
                for names in roll.rounds(cluster.names):
                    await progress.reached(progress.steps + _BETWEEN)
                    await _roll_at_once(cluster, names)
                    rolled += len(names)
            enough.set()
        stories = serving.result()
        await cluster.all_serve()
        faults = await _faults(cluster, stories, calm)
    report(f"{roll}, {replicas} of each: {rolled} rolled, {_ends(stories)}, {time.monotonic() - started:.0f} s")
    assert not faults, "\n".join(faults)
    assert len(stories) >= scale.rolled


def _again_and_again(orders: Sequence[Order]) -> Iterator[Order]:
    """These orders in turn for ever, each time a job of its own."""
    number = 0
    while True:
        for order in orders:
            number += 1
            yield replace(order, key=f"{order.key}-{number}")


async def _roll_at_once(cluster: Cluster, names: Sequence[str]) -> None:
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(cluster.roll(name), name=f"roll {name}")


def _ends(stories: Sequence[Story]) -> str:
    """How the jobs ended, for people; one that is not there or has no end is lost."""
    counts = Counter(story.job.status if story.job and story.job.status.final else None for story in stories)
    ends = [status for status in JobStatus if counts[status] or status is JobStatus.FAILED]
    counted = ", ".join(f"{counts[status]} {status}" for status in ends)
    return f"{len(stories)} jobs: {counted}, {counts[None]} lost"


async def _faults(cluster: Cluster, stories: Sequence[Story], calm: Mapping[int, CalmEnd]) -> list[str]:
    await read_back(cluster.addresses("orchestrator"), stories)
    faults = [fault for story in stories for fault in wrong_with(story, calm[story.order.variant])]
    faults += await redis_leftovers(cluster.redis_url, [story.job for story in stories if story.job])
    faults += await engine_leftovers((*cluster.addresses("draft-engine"), *cluster.addresses("target-engine")))
    return faults
