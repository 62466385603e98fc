"""What SSR costs beside its engines: the whole stack on engines that take no time, at several loads, and the floor."""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from ssr.cli.stack import Stack
from ssr.cli.stack.parts import Part, Probe, Tier
from ssr.cli.stack.ports import LOOPBACK, free_port
from ssr.cli.stack.stack import RESTART_LIMITS
from ssr.cli.stack.supervision import lifeline, running_parts
from ssr.cli.stack.supervisor import Surroundings
from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PATHS, check_within
from ssr.runtime.redis.client import RedisClient, open_redis
from ssr.v1 import reasoning_pb2_grpc
from ssr_bench.floor import CostFloor, floor_of_step, measure_floor
from ssr_bench.load import ClosedLoop, LoadLevel, Tally
from ssr_bench.memory import MemoryFigures, MemoryWatch, RedisSample
from ssr_bench.process_tree import ProcessUsage, read_usage
from ssr_bench.simulated_stack import reasoning_stub, simulated_stack
from ssr_bench.statistics import Summary, share

#: What the measuring process itself is called among the parts.
LOAD_GENERATOR = "load generator"
_MANY_CALLS = 64
_ECHO_START_S = 60.0
_MAX_JOBS, _MAX_STEPS = 4096, 200
#: For every job to have a step, beyond the warm-up.
_LONGEST_WARM_UP_S = 60.0
#: Parts that stand for what everybody has of their own: their CPU time is the engines', not SSR's.
_ENGINES = ("draft-engine", "target-engine")


@dataclass(frozen=True, slots=True)
class OverheadPlan:
    """What is measured: for each number of concurrent jobs, `seconds` after `warm_up_s` or when each of them has had a
    step, whichever comes later (a minute at most); each floor call `floor_s`.

    `paths` of every job, and about how many `steps` a path has.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    jobs: tuple[int, ...] = (1, 16, 256)
    paths: int = 1
    steps: int = 12
    seconds: float = 10.0
    warm_up_s: float = 3.0
    floor_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.jobs or not all(1 <= jobs <= _MAX_JOBS for jobs in self.jobs):
            raise InvalidRequest("jobs", f"must be numbers within 1..{_MAX_JOBS}, such as 1,16,256")
        check_within("paths", self.paths, 1, MAX_PATHS)
        check_within("steps", self.steps, 1, _MAX_STEPS)
        check_within("seconds", self.seconds, 0.1, 3600)
        check_within("warm_up_s", self.warm_up_s, 0, 3600)
        check_within("floor_s", self.floor_s, 0.05, 60)


@dataclass(frozen=True, slots=True)
class Level:
    """One load's figures, of its window.

    `step_ms`: the time between the arrivals of two consecutive steps of one path at its caller. As the engines take no
    time, all of it is added latency: draft, verification, rewrite if any, commit, and the reply to the caller.
    `cpu_ms_per_step`: CPU time of each part, whatever it was for (submitting, selecting and finishing jobs, too),
    divided by the committed steps; the measuring process is beside the parts. `floor_cpu_ms` and, for one job at a
    time, `floor_ms` are what the bare calls of one step come to: CPU time of both ends, and waiting. `stuck_jobs` had
    not ended when nothing happened any more: there is a fault, and the load was lower than it should have been.
    """

    jobs: int
    paths: int
    seconds: float
    steps: int
    finished_jobs: int
    stuck_jobs: int
    rewritten_share: float
    step_ms: Summary
    cpu_ms_per_step: Mapping[str, float]
    memory: MemoryFigures
    floor_cpu_ms: float
    floor_ms: float | None

    @property
    def steps_per_s(self) -> float:
        return share(self.steps, self.seconds)

    @property
    def jobs_per_s(self) -> float:
        return share(self.finished_jobs, self.seconds)

    @property
    def own_cpu_ms(self) -> float:
        """The same without the engines."""
        return self.stack_cpu_ms - sum(self.cpu_ms_per_step.get(name, 0.0) for name in _ENGINES)

    @property
    def stack_cpu_ms(self) -> float:
        """A step's CPU time in all parts together, in ms, without the measuring process."""
        return sum(value for name, value in self.cpu_ms_per_step.items() if name != LOAD_GENERATOR)


@dataclass(frozen=True, slots=True)
class OverheadReport:
    """All levels of one run, the floor under them, and the machine."""

    plan: OverheadPlan
    machine: Mapping[str, str | int]
    floor: CostFloor
    levels: tuple[Level, ...]


async def measure_overhead(plan: OverheadPlan, log: Callable[[str], None] = lambda _: None) -> OverheadReport:
    """Bring up the stack and measure it; `log` hears what happens.

    Raises: what the stack's start raises; Unavailable when a job fails; CapabilityMissing without /proc.
    """
    log("bringing up the simulated stack")
    settings = {"SSR_ORCHESTRATOR_MAX_PATHS": str(plan.paths * max(plan.jobs) + MAX_PATHS)}
    async with simulated_stack(settings, on_event=log) as stack:
        log("measuring bare calls")
        floor = await _floor(stack, plan.floor_s)
        numbers = itertools.count()
        levels = []
        async with reasoning_stub(stack.address) as stub:
            for jobs in plan.jobs:
                log(f"measuring {jobs} at a time")
                levels.append(await _Measuring(stack, plan, floor).level(stub, jobs, numbers))
        return OverheadReport(plan, _machine(), floor, tuple(levels))


class _Measuring:
    """One level's measurement."""

    def __init__(self, stack: Stack, plan: OverheadPlan, floor: CostFloor) -> None:
        self._stack, self._plan, self._floor = stack, plan, floor
        self._window_s = 0.0
        self._cpu_s: dict[str, float] = {}

    async def level(
        self, stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub, jobs: int, numbers: Iterator[int]
    ) -> Level:
        plan = self._plan
        loop = ClosedLoop(stub, LoadLevel(jobs, plan.paths, plan.steps), numbers)
        async with open_redis(f"redis://{self._stack.part('redis').address}") as redis:
            memory = MemoryWatch(self._usage, lambda: _redis_sample(redis, loop.tally))
            await memory.begin()
            await loop.run(lambda: self._window(loop, memory))
            memory_report = await memory.end(jobs)
        return self._figures(jobs, loop.tally, memory_report)

    def _figures(self, jobs: int, tally: Tally, memory: MemoryFigures) -> Level:
        rewritten, many = share(tally.rewritten_steps, tally.steps), jobs > 1
        return Level(
            jobs=jobs,
            paths=self._plan.paths,
            seconds=self._window_s,
            steps=tally.steps,
            finished_jobs=tally.jobs,
            stuck_jobs=tally.stuck,
            rewritten_share=rewritten,
            step_ms=Summary.of([gap_s * 1000 for gap_s in tally.gaps_s]),
            cpu_ms_per_step={name: share(cpu_s, tally.steps) * 1000 for name, cpu_s in self._cpu_s.items()},
            memory=memory,
            floor_cpu_ms=floor_of_step(self._floor, rewritten, many=many, field=lambda call: call.cpu_ms),
            floor_ms=None
            if many
            else floor_of_step(self._floor, rewritten, many=many, field=lambda call: call.latency_ms.p50),
        )

    async def _window(self, loop: ClosedLoop, memory: MemoryWatch) -> None:
        """Warm up, then count for the plan's seconds."""
        watching, tally = asyncio.create_task(memory.watch()), loop.tally
        try:
            await asyncio.sleep(self._plan.warm_up_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_WARM_UP_S):
                    await loop.warm.wait()
            before, began = self._usage(), time.perf_counter()
            tally.counting = True
            await asyncio.sleep(self._plan.seconds)
            tally.counting = False
            self._window_s, after = time.perf_counter() - began, self._usage()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        self._cpu_s = {name: after[name].cpu_s - usage.cpu_s for name, usage in before.items()}

    def _usage(self) -> dict[str, ProcessUsage]:
        """Of every part, and of this process without them."""
        parts = read_usage({part.name: part.pid for part in self._stack.parts})
        return parts | {LOAD_GENERATOR: ProcessUsage(time.process_time(), 0)}


async def _redis_sample(redis: RedisClient, tally: Tally) -> RedisSample:
    running, finished = tally.running, tally.finished
    return RedisSample((await redis.info("memory"))["used_memory"], running, finished)


async def _floor(stack: Stack, seconds: float) -> CostFloor:
    redis = stack.part("redis")
    async with _echo(stack) as (pid, grpc, http):
        return await measure_floor(pid, grpc, http, redis.pid, redis.address, seconds, _MANY_CALLS)


@asynccontextmanager
async def _echo(stack: Stack) -> AsyncIterator[tuple[int, str, str]]:
    """The echo process's pid, and its gRPC and HTTP addresses."""
    grpc, http = free_port(), free_port()
    command = (sys.executable, "-P", "-m", "ssr_bench.echo", str(grpc), str(http))
    part = Part("echo", "echo", Tier.SERVICE, Probe.HTTP, http, command)
    with lifeline() as stdin:
        surroundings = Surroundings(
            os.environ, stdin, stack.log_dir, lambda _: None, _ECHO_START_S, restart_limits=RESTART_LIMITS
        )
        async with running_parts([part], surroundings) as supervisors:
            pid = supervisors[0].pid
            assert pid is not None  # it has served
            yield pid, f"{LOOPBACK}:{grpc}", part.address


def _machine() -> dict[str, str | int]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
