"""The day in virtual time: hours take seconds, and the machine's own speed takes no part.

What is real: the algorithm (`core.solve`), the engine pools with their queues, what they report and how seldom, the
autoscaler's loop, policy and memory. Engines are models of their time (`modelled_engine`), steps have no texts. What is
not there: processes, gRPC, HTTP, Redis, and the orchestrator's queue, for it takes every job on at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random

from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.forecast import forecast_of
from ssr.autoscaler.policy.settings import ScheduledLoad
from ssr.autoscaler.policy.signals import Engines, Report, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.autoscaler.reports import DecidedReplicas, View
from ssr.client.request import SolveOptions, resolved
from ssr.core.job import Job, JobStatus
from ssr.core.journal import MemoryJournal
from ssr.core.solve import solve
from ssr.core.stages import Stages
from ssr.engines.attempts import PoolLimits
from ssr.engines.load import Pool
from ssr.engines.load_meter import LoadMeter
from ssr.engines.pool import EnginePool
from ssr.orchestrator.workload import WorkloadEstimate
from ssr_bench.autoscale.day import THRESHOLDS, Arrival, ArrivalKind
from ssr_bench.autoscale.deciding import decider_of, first_replicas, peaks
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.fleet import Fleet
from ssr_bench.autoscale.load import ANSWERED, MAX_STEP_TOKENS, NOT_ENDED, WARM_UP, WARMING, SentJob
from ssr_bench.autoscale.modelled_engine import ModelledEngine
from ssr_bench.autoscale.modelled_stages import ModelledStages
from ssr_bench.autoscale.plan import REPORT_S, AutoscalePlan
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport, DayRun, DecidedAt
from ssr_bench.autoscale.system import LINGER_S
from ssr_bench.problems import sum_problem
from ssr_bench.virtual_time import run_virtually

#: No call waits so long: where a service gives up on an engine, its orchestrator asks again.
_NEVER_S = 86_400.0
#: Of the drafts, as measured with the simulated engines (see `day.THRESHOLDS`).
_REWRITTEN = {ArrivalKind.USUAL: 0.26, ArrivalKind.STRICT: 0.8}


async def measure_virtually(
    plan: AutoscalePlan, log: Callable[[str], None] = lambda _: None
) -> AsyncIterator[AutoscaleReport]:
    """As `measure.measure_autoscale`, in virtual time: of the plan's pace nothing is used."""
    report = AutoscaleReport(plan, {}, ())
    for policy in Policy:
        if policy in plan.policies:
            log(f"{policy.label}: seed {plan.seed}")
            ours = report.runs[0] if report.runs else None
            run = await asyncio.to_thread(_lived_through, plan, policy, ours)
            report = replace(report, runs=(*report.runs, run))
            yield report


def _lived_through(plan: AutoscalePlan, policy: Policy, ours: DayRun | None) -> DayRun:
    return run_virtually(_VirtualDay(plan, policy, ours).run())


class _Reports:
    """Implements `autoscaler.loop.Reports` in memory."""

    def __init__(self, workload: WorkloadEstimate, now: Callable[[], float]) -> None:
        self._workload, self._now = workload, now
        self._reports: dict[Service, Report] = {}
        self._decided: dict[Pool, DecidedReplicas] = {}
        self._states: dict[Pool, ScalingState] = {}
        self._forecast = forecast_of([(now(), workload.with_queue(0, 0))])

    async def keep(self, meters: Mapping[Service, LoadMeter]) -> None:
        """Every service reports, and so does the orchestrator, until cancelled."""
        while True:
            now = self._now()
            for service, meter in meters.items():
                load, engines = meter()
                self._reports[service] = Report(service, "1", now, load, engines)
            self._forecast = forecast_of([(now, self._workload.with_queue(0, 0))])
            await asyncio.sleep(REPORT_S)

    async def read(self) -> View:
        return View(self._now(), tuple(self._reports.values()), self._forecast, self._decided, self._states)

    async def decide(self, pool: Pool, decision: ScalingDecision, now: float) -> None:
        self._decided[pool] = DecidedReplicas(now, decision.replicas, decision.reasons)
        self._states[pool] = decision.state


class _Replicas:
    """The URLs of a fleet's serving replicas: implements `engines.replicas.Resolver`."""

    changes = True

    def __init__(self) -> None:
        self.urls: Sequence[str] = ()

    def publish(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)

    async def resolve(self) -> Sequence[str]:
        return self.urls


class _Fleets:
    """Both pools' engines, in this process: implements `autoscaler.actuator.Actuator`."""

    def __init__(self) -> None:
        self._engines: dict[str, ModelledEngine] = {}
        self.replicas = {pool: _Replicas() for pool in Pool}
        self.of: dict[Pool, Fleet] = {}

    async def engines(self, pool: Pool) -> Engines:
        return self.of[pool].engines

    async def scale(self, pool: Pool, replicas: int) -> None:
        self.of[pool].scale(replicas)

    @asynccontextmanager
    async def serve(self, pool: Pool) -> AsyncIterator[str]:
        """One more replica while the block runs; its URL is a name."""
        url = f"http://{pool}-{len(self._engines)}"
        self._engines[url] = ModelledEngine(ENGINES[pool])
        yield url

    def connect(self, url: str) -> ModelledEngine:
        """The engine at such a URL."""
        return self._engines[url]


def _rewritten(threshold: float) -> float:
    """The share of the drafts that the simulated target rewrites."""
    return next(_REWRITTEN[kind] for kind, its in THRESHOLDS.items() if its == threshold)


class _VirtualDay:
    """One policy's day; `ours` is that of ours, once there is one."""

    def __init__(self, plan: AutoscalePlan, policy: Policy, ours: DayRun | None) -> None:
        self._plan, self._policy, self._ours = plan, policy, ours
        self._decisions: list[DecidedAt] = []

    async def run(self) -> DayRun:
        plan, loop = self._plan, asyncio.get_running_loop()
        workload, fleets = WorkloadEstimate(REPORT_S, loop.time), _Fleets()
        async with AsyncExitStack() as stack:
            for pool, replicas in first_replicas(plan, self._policy, self._ours).items():
                fleets.of[pool] = await stack.enter_async_context(self._fleet(fleets, pool, replicas))
            pools = {service: await stack.enter_async_context(self._pool(fleets, service)) for service in Service}
            stages = ModelledStages(pools, plan.day.operations + 1, _rewritten, plan.seed)
            jobs = _Jobs(plan, stages.solving, workload)
            counts = {Service.VERIFIER: stages.counts}
            meters = {service: LoadMeter(pools[service], counts.get(service), loop.time) for service in Service}
            reports = _Reports(workload, loop.time)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            reporting = group.create_task(reports.keep(meters), name="reports")
            await jobs.warm_up()
            begins = plan.day_begins(loop.time()) if self._policy is Policy.SCHEDULE else loop.time()
            settings = plan.scaling(self._scheduled(begins))
            day_s = lambda: loop.time() - begins  # noqa: E731 - the day's clock
            decider = decider_of(plan, self._policy, reports, fleets, settings, self._decisions, day_s)
            deciding = group.create_task(decider.run(), name="scaling") if decider is not None else None
            sent = await jobs.run(begins)
            for task in (reporting, deciding):
                if task is not None:
                    task.cancel()
        lives = {pool: tuple(life.since(begins, 1.0) for life in fleets.of[pool].lives) for pool in Pool}
        return DayRun(self._policy, tuple(sent), lives, tuple(self._decisions), cpu=(), died=())

    def _scheduled(self, begins: float) -> tuple[ScheduledLoad, ...]:
        if self._policy is not Policy.SCHEDULE or self._ours is None:
            return ()
        return (self._plan.scheduled_burst(begins, peaks(self._plan, self._ours)),)

    @asynccontextmanager
    async def _fleet(self, fleets: _Fleets, pool: Pool, replicas: int) -> AsyncIterator[Fleet]:
        plan = self._plan
        async with Fleet.running(
            lambda: fleets.serve(pool),
            fleets.replicas[pool].publish,
            replicas=replicas,
            startup_s=plan.startup_s,
            linger_s=LINGER_S,
            now=asyncio.get_running_loop().time,
        ) as fleet:
            yield fleet

    def _pool(self, fleets: _Fleets, service: Service) -> EnginePool:
        limits = PoolLimits(ENGINES[service.pool].slots, timeout_s=_NEVER_S, refresh_s=REPORT_S)
        dice = Random(f"{self._plan.seed}/{service}")
        now = asyncio.get_running_loop().time
        return EnginePool(fleets.replicas[service.pool], fleets.connect, limits, rng=dice, now=now)


class _Jobs:
    """The day's jobs; a day's second is one of the loop's."""

    def __init__(self, plan: AutoscalePlan, stages: Stages, workload: WorkloadEstimate) -> None:
        self._plan, self._stages, self._workload = plan, stages, workload

    async def warm_up(self) -> None:
        """As `load.DayLoad.warm_up`."""
        numbers = iter(range(WARM_UP, WARM_UP + self._plan.warm_up_jobs))

        async def call_on() -> None:
            for number in numbers:
                await self._solve(Arrival(0.0, "", ArrivalKind.USUAL, number), 0.0)

        async with asyncio.TaskGroup() as group:
            for _ in range(WARMING):
                group.create_task(call_on())

    async def run(self, begins: float) -> Sequence[SentJob]:
        """As `load.DayLoad.run`."""
        loop, day = asyncio.get_running_loop(), self._plan.day
        arrivals = day.arrivals(self._plan.seed)

        async def sent(arrival: Arrival) -> SentJob:
            await asyncio.sleep(begins + arrival.at_s - loop.time())
            return await self._solve(arrival, begins)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(sent(arrival)) for arrival in arrivals]
            left_s = begins + day.seconds + self._plan.settle_s - loop.time()
            _, late = await asyncio.wait(tasks, timeout=left_s)
            for task in late:
                task.cancel()
        return [
            SentJob(arrival.at_s, arrival.phase, arrival.kind, NOT_ENDED) if task.cancelled() else task.result()
            for arrival, task in zip(arrivals, tasks, strict=True)
        ]

    async def _solve(self, arrival: Arrival, begins: float) -> SentJob:
        day = self._plan.day
        asked = SolveOptions(
            mode="ssr",
            paths=day.paths,
            seed=arrival.number + self._plan.seed * _SEEDS_APART,
            threshold=THRESHOLDS[arrival.kind],
            max_step_tokens=MAX_STEP_TOKENS,
        )
        options, job_id = resolved(asked), f"job-{arrival.number}"
        problem = sum_problem(arrival.number, day.operations)
        self._workload.submitted(options.paths)
        outcome = await solve(job_id, problem, options, self._stages, MemoryJournal())
        usage = outcome.run.ledger.usage()
        status = JobStatus.ANSWERED if outcome.votes else JobStatus.NO_ANSWER
        self._workload.ended(Job(job_id, status, problem, options, paths=outcome.run.paths, usage=usage))
        work = {pool: ENGINES[pool].slot_seconds(usage.models) for pool in Pool}
        answered_s = asyncio.get_running_loop().time() - begins - arrival.at_s if outcome.votes else None
        return SentJob(
            arrival.at_s,
            arrival.phase,
            arrival.kind,
            ANSWERED if outcome.votes else status.name,
            answered_s,
            work[Pool.DRAFT],
            work[Pool.TARGET],
        )


#: So that two seeds of the day share no job's seed.
_SEEDS_APART = 1_000_003
