"""What batch work costs the jobs that somebody waits for, where the engines' places are what is short."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssr.core.limits import check_within
from ssr.v1 import reasoning_pb2
from ssr_bench.simulated_stack import reasoning_stub, simulated_stack
from ssr_bench.statistics import Summary, percentile, share
from ssr_bench.submitting import burst_request

if TYPE_CHECKING:
    from ssr_bench.submitting import Stub

_BATCH, _INTERACTIVE = reasoning_pb2.PRIORITY_BATCH, reasoning_pb2.PRIORITY_INTERACTIVE
_SOLVE_LIMIT_S = 300.0
#: For the batch jobs to fill the engines' places.
_FILL_S = 2.0


@dataclass(frozen=True, slots=True)
class PriorityPlan:
    """`trials` interactive jobs one after the other, alone and then beside `batch_jobs` batch jobs.

    Every service has `places` calls at a time on its engine, whose decoding pass takes `pass_s` seconds, so that the
    engines and not this machine's CPUs are what is short. Raises: InvalidRequest naming a field out of its limits.
    """

    batch_jobs: int = 120
    trials: int = 20
    paths: int = 3
    steps: int = 3
    places: int = 8
    pass_s: float = 0.02

    def __post_init__(self) -> None:
        check_within("batch_jobs", self.batch_jobs, 1, 10_000)
        check_within("trials", self.trials, 1, 1_000)
        check_within("places", self.places, 1, 1_000)


@dataclass(frozen=True, slots=True)
class PriorityReport:
    """Seconds of the interactive jobs, and batch steps a second while nothing else and while they were there."""

    plan: PriorityPlan
    alone_s: Summary
    beside_s: Summary
    alone_p95_s: float
    beside_p95_s: float
    batch_steps_alone: float
    batch_steps_beside: float

    @property
    def slowdown(self) -> float:
        """At the 95th percentile."""
        return share(self.beside_p95_s, self.alone_p95_s)

    @property
    def batch_share(self) -> float:
        """Of its own pace, what batch work keeps."""
        return share(self.batch_steps_beside, self.batch_steps_alone)


async def measure_priority(plan: PriorityPlan, log: Callable[[str], None] = lambda _: None) -> PriorityReport:
    """Bring up the stack and measure. Raises: what the stack's start raises."""
    log("bringing up the simulated stack")
    services = ("DRAFTER", "VERIFIER", "SELECTOR")
    settings = {f"SSR_{name}_ENGINE__MAX_IN_FLIGHT": str(plan.places) for name in services}
    settings["SSR_ENGINE_SIMULATED__LATENCY__DECODE_BASE_S"] = str(plan.pass_s)
    settings["SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE"] = "1"
    async with simulated_stack(settings, on_event=log) as stack, reasoning_stub(stack.address) as stub:
        log("interactive jobs alone")
        alone = [await _solve(stub, plan, number) for number in range(plan.trials)]
        log(f"{plan.batch_jobs} batch jobs")
        batch = [
            (await stub.Submit(burst_request(n, paths=16, steps=plan.steps, priority=_BATCH))).job_id
            for n in range(1_000, 1_000 + plan.batch_jobs)
        ]
        await asyncio.sleep(_FILL_S)
        by_itself = await _pace(stub, batch, 3 * _FILL_S)
        log("interactive jobs beside them")
        began, before = time.perf_counter(), await _steps(stub, batch)
        beside = [await _solve(stub, plan, 500 + number) for number in range(plan.trials)]
        pace = (await _steps(stub, batch) - before) / (time.perf_counter() - began)
        for job_id in batch:
            await stub.Cancel(reasoning_pb2.CancelRequest(job_id=job_id))
    p95s = (percentile(sorted(alone), 95), percentile(sorted(beside), 95))
    return PriorityReport(plan, Summary.of(alone), Summary.of(beside), *p95s, by_itself, pace)


async def _solve(stub: Stub, plan: PriorityPlan, number: int) -> float:
    request = burst_request(number, paths=plan.paths, steps=plan.steps, priority=_INTERACTIVE)
    began = time.perf_counter()
    await stub.Solve(request, timeout=_SOLVE_LIMIT_S)
    return time.perf_counter() - began


async def _pace(stub: Stub, job_ids: Sequence[str], seconds: float) -> float:
    """Batch steps a second."""
    began, before = time.perf_counter(), await _steps(stub, job_ids)
    await asyncio.sleep(seconds)
    return (await _steps(stub, job_ids) - before) / (time.perf_counter() - began)


async def _steps(stub: Stub, job_ids: Sequence[str]) -> int:
    """Steps that are committed of these jobs, all together."""
    steps = 0
    for job_id in job_ids:
        usage = (await stub.Get(reasoning_pb2.GetRequest(job_id=job_id))).usage
        steps += usage.accepted_steps + usage.rewritten_steps
    return steps
