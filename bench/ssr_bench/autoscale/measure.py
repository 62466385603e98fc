"""Living through the day once for every policy."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from ssr.autoscaler.policy.settings import ScheduledLoad
from ssr.autoscaler.reports import ReportStore
from ssr.engines.load import Pool
from ssr.runtime.redis.client import open_redis
from ssr_bench.autoscale.cpu import CpuWatch
from ssr_bench.autoscale.deciding import decider_of, first_replicas, peaks
from ssr_bench.autoscale.fleet_client import FleetClient
from ssr_bench.autoscale.life import Life
from ssr_bench.autoscale.load import DayLoad, SentJob
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport, DayRun, DecidedAt
from ssr_bench.autoscale.system import LoadedSystem, running_system
from ssr_bench.simulated_stack import reasoning_stub

#: Between warming up and the day, in real seconds.
_PAUSE_S = 1.0


def this_machine() -> dict[str, str | int]:
    """Where it was measured."""
    return {
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


async def measure_autoscale(
    plan: AutoscalePlan, log: Callable[[str], None] = lambda _: None
) -> AsyncIterator[AutoscaleReport]:
    """A day for each policy of the plan, ours first, whose need sizes the others. `log` hears what happens.

    Yields a report of all days so far behind each: a later one that fails takes none of them away.
    Raises: what a system's start raises; CapabilityMissing without /proc.
    """
    report = AutoscaleReport(plan, this_machine(), ())
    for policy in Policy:
        if policy in plan.policies:
            run = await _Measuring(plan, policy, report.runs[:1], log).run()
            report = replace(report, runs=(*report.runs, run))
            yield report


class _Measuring:
    """One policy's day; `first` is the run of ours, once there is one."""

    def __init__(
        self, plan: AutoscalePlan, policy: Policy, first: Sequence[DayRun], log: Callable[[str], None]
    ) -> None:
        self._plan, self._policy, self._report = plan, policy, log
        self._first = first[0] if first else None
        self._decisions: list[DecidedAt] = []

    async def run(self) -> DayRun:
        plan = self._plan
        self._report(f"{self._policy.label}: bringing up the system")
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            system = await enter(running_system(plan, first_replicas(plan, self._policy, self._first), self._report))
            fleets = await enter(FleetClient.to(system.fleets))
            stub = await enter(reasoning_stub(system.address))
            self._report(f"{self._policy.label}: warming up")
            await DayLoad(stub, plan.day, plan.pace, 0.0).warm_up(plan.warm_up_jobs)
            begins = self._begins()
            pids = system.pids
            await enter(self._scaling(system, fleets, begins))
            await self._until(begins)
            watch = CpuWatch(lambda: system.pids, lambda: self._day_s(begins))
            load = DayLoad(stub, plan.day, plan.pace, begins)
            jobs = await self._live(load, watch)
            return DayRun(
                policy=self._policy,
                jobs=tuple(jobs),
                lives={pool: self._lives(await fleets.lives(pool), begins) for pool in Pool},
                decisions=tuple(self._decisions),
                cpu=tuple(watch.samples),
                died=tuple(name for name, pid in system.pids.items() if pids[name] != pid),
            )

    async def _live(self, load: DayLoad, watch: CpuWatch) -> Sequence[SentJob]:
        plan = self._plan
        minutes = plan.pace.real_s(plan.day.seconds) / 60
        self._report(f"{self._policy.label}: the day takes {minutes:.1f} minutes")
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch.run())
            jobs = await load.run(plan.day.arrivals(plan.seed), plan.settle_s)
            watching.cancel()
        return jobs

    def _begins(self) -> float:
        soon = time.time() + _PAUSE_S
        return self._plan.day_begins(soon) if self._policy is Policy.SCHEDULE else soon

    async def _until(self, begins: float) -> None:
        wait_s = begins - time.time()
        if wait_s > 2 * _PAUSE_S:
            self._report(f"{self._policy.label}: waiting {wait_s:.0f} s, so that the burst is at a full minute")
        await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _scaling(self, system: LoadedSystem, fleets: FleetClient, begins: float) -> AsyncIterator[None]:
        """The policy decides while the block runs."""
        settings = self._plan.scaling(self._scheduled(begins))
        async with open_redis(system.redis_url) as redis, asyncio.TaskGroup() as group:
            decider = decider_of(
                self._plan,
                self._policy,
                ReportStore(redis, ttl_s=settings.report_ttl_s),
                fleets,
                settings,
                self._decisions,
                lambda: self._day_s(begins),
            )
            deciding = group.create_task(decider.run(), name="scaling") if decider is not None else None
            yield
            if deciding is not None:
                deciding.cancel()

    def _scheduled(self, begins: float) -> tuple[ScheduledLoad, ...]:
        if self._policy is not Policy.SCHEDULE or self._first is None:
            return ()
        return (self._plan.scheduled_burst(begins, peaks(self._plan, self._first)),)

    def _lives(self, lives: Sequence[Life], begins: float) -> tuple[Life, ...]:
        return tuple(life.since(begins, self._plan.pace.factor) for life in lives)

    def _day_s(self, begins: float) -> float:
        return self._plan.pace.day_s(time.time() - begins)
