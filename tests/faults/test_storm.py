"""Everything dies at random while jobs run; afterwards nothing shows it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from calm import calm_ends
from chaos import Blow, Progress, schedule, strike
from checks import wrong_with
from cluster import Cluster, running_cluster
from customers import Story, read_back, serve_customers
from leftovers import engine_leftovers, redis_leftovers
from workload import Ending, workload

from ssr.core.job import Started
from ssr.core.run import StepCommitted

if TYPE_CHECKING:
    from fault_scale import Scale

#: The storm itself; the full form takes minutes.
_LIMIT_S = 840


@pytest.mark.timeout(900)
async def test_every_job_ends_as_without_faults(scale: Scale, tmp_path: Path, report: Callable[[str], object]) -> None:
    """Kills and freezes of every part, as the seed has it: nothing is lost, doubled, or left behind."""
    report(f"seed {scale.seed}: SSR_FAULTS_SEED={scale.seed} repeats it")
    orders = workload(scale.seed, scale.jobs)
    calm = await calm_ends(orders)
    work = sum(calm[order.variant].steps for order in orders if order.ending is Ending.EXACT)
    started = time.monotonic()
    async with running_cluster(tmp_path) as cluster, asyncio.timeout(_LIMIT_S):
        blows = schedule(scale.seed, scale.blows, work, cluster.names)
        progress = Progress()
        async with asyncio.TaskGroup() as group:
            group.create_task(strike(cluster, blows, progress), name="chaos")
            serving = group.create_task(
                serve_customers(cluster.address, orders, scale.at_a_time, progress), name="customers"
            )
        stories = serving.result()
        await cluster.all_serve()
        await read_back(cluster.addresses("orchestrator"), stories)
        faults = [fault for story in stories for fault in wrong_with(story, calm[story.order.variant])]
        faults += await redis_leftovers(cluster.redis_url, [story.job for story in stories if story.job])
        faults += await engine_leftovers((*cluster.addresses("draft-engine"), *cluster.addresses("target-engine")))
        for line in _summary(cluster, blows, stories, time.monotonic() - started):
            report(line)
    assert not faults, "\n".join(faults)
    assert progress.steps == work
    assert len({story.job_id for story in stories}) == len(orders)


def _summary(cluster: Cluster, blows: Sequence[Blow], stories: Sequence[Story], seconds: float) -> list[str]:
    happenings = [event.happening for story in stories for event in story.replay]
    steps = sum(isinstance(happening, StepCommitted) for happening in happenings)
    takeovers = sum(isinstance(happening, Started) and happening.epoch > 1 for happening in happenings)
    refused = cluster.logs("orchestrator").count("went on to a newer owner")
    harms = Counter(f"{blow.harm} {blow.role}" for blow in blows)
    statuses = Counter(str(story.job.status) for story in stories if story.job)
    return [
        f"{len(blows)} blows: {_listed(harms)}",
        f"{len(stories)} jobs ({_listed(statuses)}), {steps} steps, {takeovers} takeovers, "
        f"{refused} times an old owner was refused, {seconds:.0f} s",
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
