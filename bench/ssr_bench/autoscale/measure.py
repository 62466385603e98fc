"""Living through the day once for every policy."""

from __future__ import annotations

import asyncio
import math
import os
import platform
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from ssr.autoscaler.loop import Autoscaler
from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.demand import Demand
from ssr.autoscaler.policy.settings import ScheduledLoad
from ssr.autoscaler.policy.signals import PoolSignals
from ssr.autoscaler.reports import ReportStore
from ssr.core.errors import SsrError
from ssr.engines.load import Pool
from ssr.runtime.redis.client import open_redis
from ssr_bench.autoscale.cpu import CpuWatch
from ssr_bench.autoscale.fleet_client import FleetClient
from ssr_bench.autoscale.life import Life
from ssr_bench.autoscale.load import DayLoad, SentJob
from ssr_bench.autoscale.need import measured_need
from ssr_bench.autoscale.plan import AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.queue_scaler import QueueScaler, llm_d_replicas, waiting_calls
from ssr_bench.autoscale.run import AutoscaleReport, DayRun, DecidedAt
from ssr_bench.autoscale.system import System, running_system
from ssr_bench.simulated_stack import reasoning_stub

#: Between warming up and the day, in real seconds.
_PAUSE_S = 1.0


async def measure_autoscale(
    plan: AutoscalePlan, log: Callable[[str], None] = lambda _: None
) -> AsyncIterator[AutoscaleReport]:
    """A day for each policy of the plan, ours first, whose need sizes the others. `log` hears what happens.

    Yields a report of all days so far behind each: a later one that fails takes none of them away.
    Raises: what a system's start raises; CapabilityMissing without /proc.
    """
    machine: dict[str, str | int] = {
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    report = AutoscaleReport(plan, machine, ())
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
            system = await enter(running_system(plan, self._replicas(), self._report))
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
            self._report(f"{self._policy.label}: waiting {wait_s:.0f} s, so that the bell is at a full minute")
        await asyncio.sleep(wait_s)

    def _replicas(self) -> Mapping[Pool, int]:
        """How many each pool begins with."""
        match self._policy:
            case Policy.FIXED_MEAN:
                return self._as_costly()
            case Policy.FIXED_PEAK:
                return self._peaks()
        return {pool: limits.min_replicas for pool, limits in self._plan.limits.items()}

    def _peaks(self) -> Mapping[Pool, int]:
        """The most that the day of ours needed."""
        need = measured_need(self._plan.day, self._plan.limits, self._ours.jobs)
        return {pool: need.peak(pool) for pool in Pool}

    def _as_costly(self) -> Mapping[Pool, int]:
        """A fixed fleet that is paid for as much as ours, or a little more."""
        day_s = self._plan.day.seconds
        return {
            pool: math.ceil(sum(life.paid_s(day_s) for life in lives) / day_s)
            for pool, lives in self._ours.lives.items()
        }

    @property
    def _ours(self) -> DayRun:
        assert self._first is not None  # the plan has ours, and it comes first
        return self._first

    @asynccontextmanager
    async def _scaling(self, system: System, fleets: FleetClient, begins: float) -> AsyncIterator[None]:
        """The policy decides while the block runs."""
        if self._policy in (Policy.FIXED_MEAN, Policy.FIXED_PEAK):
            yield
            return
        async with open_redis(system.redis_url) as redis, asyncio.TaskGroup() as group:
            settings = self._plan.scaling(self._bells(begins))
            report_store = ReportStore(redis, ttl_s=settings.report_ttl_s)
            if self._policy in (Policy.QUEUE, Policy.LLM_D):
                llm_d = self._policy is Policy.LLM_D
                hpas = dict.fromkeys(Pool, self._plan.llm_d() if llm_d else self._plan.hpa())
                metric = llm_d_replicas if llm_d else waiting_calls
                ttl_s = settings.report_ttl_s
                scaler = QueueScaler(report_store, fleets, hpas, report_ttl_s=ttl_s, metric=metric)
                deciding = group.create_task(scaler.run(), name="HPA")
            else:
                autoscaler = Autoscaler(
                    report_store, fleets, settings, observers=[_Listener(self._decisions, lambda: self._day_s(begins))]
                )
                deciding = group.create_task(autoscaler.run())
            yield
            deciding.cancel()

    def _bells(self, begins: float) -> tuple[ScheduledLoad, ...]:
        return (self._plan.bell(begins, self._peaks()),) if self._policy is Policy.SCHEDULE else ()

    def _lives(self, lives: Sequence[Life], begins: float) -> tuple[Life, ...]:
        return tuple(life.since(begins, self._plan.pace.factor) for life in lives)

    def _day_s(self, begins: float) -> float:
        return self._plan.pace.day_s(time.time() - begins)


class _Listener:
    """Implements `autoscaler.loop.Observer`: notes what changes."""

    def __init__(self, decisions: list[DecidedAt], day_s: Callable[[], float]) -> None:
        self._decisions, self._day_s = decisions, day_s

    def decided(self, pool: Pool, signals: PoolSignals, demand: Demand, before: int, decision: ScalingDecision) -> None:
        if decision.replicas != before:
            self._decisions.append(DecidedAt(self._day_s(), pool, before, decision.replicas, decision.reasons))

    def failed(self, pool: Pool, error: SsrError) -> None:
        """The loop logs it, and goes on."""
