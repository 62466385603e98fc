"""Everything is rolled while jobs run, as by an upgrade: no job fails, none is lost, and each ends as without it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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

#: Different requests of one test; each is asked many times.
_VARIANTS = 12
_LIMIT_S = 1140
#: Steps between two rolls: the work goes on.
_BETWEEN = 10
#: What the short form rolls before it rolls everything together: processes take a while to start.
_SHORT = ("target-engine",)


@pytest.mark.timeout(1200)
async def test_single_replicas_are_rolled(scale: Scale, tmp_path: Path, report: Callable[[str], object]) -> None:
    """One replica of everything: nothing stands in for it."""
    await _rolled(1, scale, tmp_path, report)


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not FULL, reason="starts twelve processes; SSR_FAULTS=full")
async def test_two_replicas_are_rolled(scale: Scale, tmp_path: Path, report: Callable[[str], object]) -> None:
    await _rolled(2, scale, tmp_path, report)


async def _rolled(replicas: int, scale: Scale, folder: Path, report: Callable[[str], object]) -> None:
    orders = workload(scale.seed, _VARIANTS, twins=1)
    calm = await calm_ends(orders)
    progress, enough, started = Progress(), asyncio.Event(), time.monotonic()
    async with running_cluster(folder, replicas) as cluster, asyncio.timeout(_LIMIT_S):
        async with asyncio.TaskGroup() as group:
            customers = serve_until(cluster.address, _again_and_again(orders), scale.at_a_time, progress, enough)
            serving = group.create_task(customers, name="customers")
            rolls: list[str] = []
            while not rolls or progress.jobs < scale.rolled:
                rolls += await _roll_all(cluster, progress)
            enough.set()
        stories = serving.result()
        await cluster.all_serve()
        faults = await _faults(cluster, stories, calm)
    statuses = Counter(str(story.job.status) for story in stories if story.job)
    report(
        f"{replicas} replicas: {len(rolls)} rolls ({', '.join(dict.fromkeys(rolls))}), {len(stories)} jobs "
        f"({', '.join(f'{count} {status}' for status, count in sorted(statuses.items()))}), "
        f"{statuses[JobStatus.FAILED]} failed, {time.monotonic() - started:.0f} s"
    )
    assert not faults, "\n".join(faults)
    assert len(stories) >= scale.rolled


def _again_and_again(orders: Sequence[Order]) -> Iterator[Order]:
    """These orders in turn for ever, each time a job of its own."""
    number = 0
    while True:
        for order in orders:
            number += 1
            yield replace(order, key=f"{order.key}-{number}")


async def _roll_all(cluster: Cluster, progress: Progress) -> list[str]:
    """Rolls each role, its replicas one by one, and then everything together; what was rolled, in order."""
    roles = list(dict.fromkeys(map(role_of, cluster.names))) if FULL else _SHORT
    for role in roles:
        await progress.reached(progress.steps + _BETWEEN)
        for name in cluster.names:
            if role_of(name) == role:
                await cluster.roll(name)
    await progress.reached(progress.steps + _BETWEEN)
    async with asyncio.TaskGroup() as group:
        for name in cluster.names:
            group.create_task(cluster.roll(name), name=f"roll {name}")
    return [*roles, "everything"]


async def _faults(cluster: Cluster, stories: Sequence[Story], calm: Mapping[int, CalmEnd]) -> list[str]:
    await read_back(cluster.addresses("orchestrator"), stories)
    faults = [fault for story in stories for fault in wrong_with(story, calm[story.order.variant])]
    faults += await redis_leftovers(cluster.redis_url, [story.job for story in stories if story.job])
    faults += await engine_leftovers((*cluster.addresses("draft-engine"), *cluster.addresses("target-engine")))
    return faults
