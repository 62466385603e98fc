"""The same paths through SSR and straight from the engine, one after the other, at each load."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from grpc import aio

from ssr.core.errors import SsrError, Unavailable
from ssr.core.prompts import solving
from ssr.core.seeds import path_seed
from ssr.core.types import NO_STRATEGY, Strategy
from ssr.domains import DEFAULT, domain_named
from ssr.engines.base import Sampling
from ssr.engines.connect import open_engine
from ssr.engines.load import Pool
from ssr.engines.rendering import PromptRenderer
from ssr.runtime.rpc.errors import from_rpc_error
from ssr.runtime.rpc.step_wire import strategy_from_wire
from ssr.v1 import reasoning_pb2
from ssr_bench.problems import sum_problem
from ssr_bench.process_tree import read_usage
from ssr_bench.simulated_stack import reasoning_stub
from ssr_bench.statistics import Summary, share
from ssr_bench.utilisation.plan import Subject, UtilisationPlan
from ssr_bench.utilisation.raw import RawServer
from ssr_bench.utilisation.services import Services, running_services

if TYPE_CHECKING:
    from ssr_bench.submitting import Stub

#: Jobs of each subject before anything is measured: connections are made and templates learnt.
_WARM_UP_JOBS = 2
_LOST = (reasoning_pb2.JOB_STATUS_FAILED, reasoning_pb2.JOB_STATUS_PARKED)

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(slots=True)
class SolvedJob:
    """One job as its caller saw it; `tokens` and `strategies` are of its paths."""

    problem: str
    seed: int
    tokens: dict[int, int] = field(default_factory=dict)
    strategies: dict[int, Strategy] = field(default_factory=dict)
    steps: int = 0
    calls: int = 0
    first_step_s: float = 0.0
    answer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadComparison:
    """A subject at one load, and raw generation of the same prompts and lengths at the same load, right behind it.

    `tokens` are those of committed steps. `first_step_ms` is from the submission to the first committed step, as its
    caller sees it; `raw_first_ms` to the first bytes of a raw stream. `calls_per_step` counts requests to engines, and
    `cpu_ms_per_step` the CPU time of what SSR adds to its engines, Redis included.
    """

    subject: Subject
    concurrency: int
    jobs: int
    tokens: int
    seconds: float
    raw_tokens: int
    raw_seconds: float
    steps: int
    calls_per_step: float
    cpu_ms_per_step: Mapping[str, float]
    first_step_ms: Summary
    raw_first_ms: Summary
    answer_s: Summary
    raw_answer_s: Summary

    @property
    def tokens_per_s(self) -> float:
        return share(self.tokens, self.seconds)

    @property
    def raw_tokens_per_s(self) -> float:
        return share(self.raw_tokens, self.raw_seconds)

    @property
    def rate_ratio(self) -> float:
        """Tokens/s through SSR over raw tokens/s."""
        return share(self.tokens_per_s, self.raw_tokens_per_s)

    @property
    def answer_ratio(self) -> float:
        """A job's mean time to its answer over that of its raw generations."""
        return share(self.answer_s.mean, self.raw_answer_s.mean)

    @property
    def cpu_ms(self) -> float:
        return sum(self.cpu_ms_per_step.values())

    @property
    def reached(self) -> bool | None:
        """Whether its goal is reached; None where it has none."""
        return None if self.subject.floor is None else self.rate_ratio >= self.subject.floor


@dataclass(frozen=True, slots=True)
class UtilisationReport:
    """All loads and subjects of one run."""

    plan: UtilisationPlan
    comparisons: tuple[LoadComparison, ...]


async def measure_utilisation(plan: UtilisationPlan, log: Callable[[str], None] = lambda _: None) -> UtilisationReport:
    """Bring up the services and measure. Raises: what their start raises; Unavailable when a job or a request fails."""
    log("bringing up the services")
    numbers = itertools.count(1)
    async with running_services(plan, log) as services, _measuring(plan, services, numbers) as measuring:
        for subject in plan.measured:
            log(f"warming up: {subject.name}")
            await measuring.solved(subject, _WARM_UP_JOBS, 1)
        comparisons = []
        for concurrency in plan.concurrency:
            for subject in plan.measured:
                log(f"{subject.name}, {concurrency} paths at a time")
                comparisons.append(await measuring.compared(subject, concurrency))
    return UtilisationReport(plan, tuple(comparisons))


@asynccontextmanager
async def _measuring(plan: UtilisationPlan, services: Services, numbers: Iterator[int]) -> AsyncIterator[_Measuring]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pools = {subject.raw for subject in plan.measured}
        servers = {pool: await enter(RawServer.at(services.engines[pool])) for pool in pools}
        renderers = {pool: PromptRenderer(await enter(open_engine(services.engines[pool]))) for pool in pools}
        stub = await enter(reasoning_stub(services.api))
        yield _Measuring(plan, services, stub, servers, renderers, numbers)


class _Measuring:
    def __init__(
        self,
        plan: UtilisationPlan,
        services: Services,
        stub: Stub,
        servers: Mapping[Pool, RawServer],
        renderers: Mapping[Pool, PromptRenderer],
        numbers: Iterator[int],
    ) -> None:
        self._plan, self._services, self._stub = plan, services, stub
        self._servers, self._renderers, self._numbers = servers, renderers, numbers

    async def compared(self, subject: Subject, concurrency: int) -> LoadComparison:
        count, at_once = self._plan.jobs(subject, concurrency)
        before, began = read_usage(self._services.pids), time.perf_counter()
        jobs = await self.solved(subject, count, at_once)
        seconds, after = time.perf_counter() - began, read_usage(self._services.pids)
        prompts = [await self._prompts(subject, job) for job in jobs]
        began = time.perf_counter()
        raw = await in_turn(list(zip(jobs, prompts, strict=True)), at_once, lambda one: self._raw(subject, *one))
        raw_seconds = time.perf_counter() - began
        steps = sum(job.steps for job in jobs)
        return LoadComparison(
            subject=subject,
            concurrency=concurrency,
            jobs=count,
            tokens=sum(sum(job.tokens.values()) for job in jobs),
            seconds=seconds,
            raw_tokens=sum(tokens for tokens, _, _ in raw),
            raw_seconds=raw_seconds,
            steps=steps,
            calls_per_step=share(sum(job.calls for job in jobs), steps),
            cpu_ms_per_step={
                name: share((after[name].cpu_s - usage.cpu_s) * 1000, steps) for name, usage in before.items()
            },
            first_step_ms=Summary.of([job.first_step_s * 1000 for job in jobs]),
            raw_first_ms=Summary.of([first_s * 1000 for _, first_s, _ in raw]),
            answer_s=Summary.of([job.answer_s for job in jobs]),
            raw_answer_s=Summary.of([whole_s for _, _, whole_s in raw]),
        )

    async def solved(self, subject: Subject, count: int, at_once: int) -> list[SolvedJob]:
        """So many new jobs. Their prompts are in the engine's prefix cache, as they are for raw generation behind."""
        jobs = [SolvedJob(self._problem(number), number) for number in itertools.islice(self._numbers, count)]
        await in_turn(jobs, max(at_once, 8), lambda job: self._touch(subject, job))
        return await in_turn(jobs, at_once, lambda job: self._solve(subject, job))

    def _problem(self, number: int) -> str:
        given = self._plan.problems
        return given[number % len(given)] if given else sum_problem(number, self._plan.steps)

    async def _touch(self, subject: Subject, job: SolvedJob) -> None:
        prompt = await self._prompt(subject, job.problem, NO_STRATEGY)
        await self._servers[subject.raw].generate(prompt, 1, Sampling(seed=1))

    async def _solve(self, subject: Subject, job: SolvedJob) -> SolvedJob:
        options = reasoning_pb2.Options(
            mode=_MODES[subject.mode],
            paths=subject.paths,
            seed=job.seed,
            early_stop=False,
            max_path_tokens=self._plan.max_path_tokens,
            **subject.options,  # type: ignore[arg-type]
        )
        began = time.perf_counter()
        try:
            async for event in self._stub.SolveStream(reasoning_pb2.SolveRequest(problem=job.problem, options=options)):
                if event.HasField("step_committed"):
                    job.first_step_s = job.first_step_s or time.perf_counter() - began
                    _count(job, event.step_committed)
                elif event.HasField("selected"):
                    chosen = map(strategy_from_wire, event.selected.strategies)
                    job.strategies = dict(enumerate(chosen))
                elif event.HasField("finished") and event.finished.job.status in _LOST:
                    raise Unavailable(f"{subject.name}: a job failed: {event.finished.job.error}")
        except aio.AioRpcError as error:
            raise from_rpc_error(error, "the services") from error
        job.answer_s = time.perf_counter() - began
        return job

    async def _prompts(self, subject: Subject, job: SolvedJob) -> dict[int, str]:
        return {
            path: await self._prompt(subject, job.problem, job.strategies.get(path, NO_STRATEGY)) for path in job.tokens
        }

    async def _prompt(self, subject: Subject, problem: str, strategy: Strategy) -> str:
        """What the services send for a path's first step."""
        dialogue = solving(problem, strategy, domain_named(DEFAULT).prompts)
        return (await self._renderers[subject.raw].turn(dialogue, "")).text()

    async def _raw(self, subject: Subject, job: SolvedJob, prompts: Mapping[int, str]) -> tuple[int, float, float]:
        """Tokens of the same paths, seconds to the first bytes and to the end of the last path."""
        server, began = self._servers[subject.raw], time.perf_counter()
        paths = await asyncio.gather(
            *(
                server.generate(prompts[path], tokens, Sampling(0.6, 0.95, path_seed(job.seed, path, subject.raw_kind)))
                for path, tokens in job.tokens.items()
            )
        )
        elapsed_s = time.perf_counter() - began
        return sum(one.tokens for one in paths), min((one.first_s for one in paths), default=0.0), elapsed_s


_MODES = {
    mode: getattr(reasoning_pb2, f"MODE_{mode.name}") for mode in {one.mode for one in UtilisationPlan().measured}
}


def _count(job: SolvedJob, committed: reasoning_pb2.Event.StepCommitted) -> None:
    job.tokens[committed.path] = job.tokens.get(committed.path, 0) + committed.step.tokens
    job.steps += 1
    job.calls += sum(not call.continued for call in committed.calls)


async def in_turn(items: Sequence[_T], at_once: int, work: Callable[[_T], Awaitable[_R]]) -> list[_R]:
    """What comes of all items, so many at a time, in their order. Raises: the first failure."""
    found: dict[int, _R] = {}
    left = iter(enumerate(items))

    async def worker() -> None:
        for index, item in left:
            found[index] = await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(items))):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [found[index] for index in range(len(items))]


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    return next((one for one in failures.exceptions if isinstance(one, SsrError)), failures.exceptions[0])
