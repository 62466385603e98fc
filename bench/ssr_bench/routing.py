"""Where the paths of a job go: a replica for each path or one for the job, on simulated engines in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from ssr.core.limits import check_within
from ssr.core.types import NO_STRATEGY, CallKind, Options, PathContext, Source
from ssr.engine_server.server.backend import FinishReason, GenerateRequest
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.engines.attempts import PoolLimits
from ssr.engines.author import Author
from ssr.engines.base import (
    ANYONE,
    GREEDY,
    ChatMessage,
    EngineInfo,
    Finish,
    Generation,
    Origin,
    Piece,
    Sampling,
)
from ssr.engines.pool import EnginePool
from ssr.engines.replicas import FixedReplicas
from ssr_bench.problems import sum_problem
from ssr_bench.statistics import Summary, share
from ssr_bench.streaming_engine import StreamingEngine
from ssr_bench.virtual_time import run_virtually

_FINISH = {
    FinishReason.LENGTH: Finish.LENGTH,
    FinishReason.EOS_TOKEN: Finish.EOS,
    FinishReason.STOP_SEQUENCE: Finish.STOP,
}


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """`jobs` of `paths` paths, that the target writes alone, come by chance, `per_s` of them a second, to `replicas`.

    `prompt_words` are added to each problem; `stagger_s`: a path begins so much later than the one before it.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    jobs: int = 400
    paths: int = 5
    replicas: int = 4
    per_s: tuple[float, ...] = (2.0, 8.0, 14.0)
    prompt_words: tuple[int, ...] = (0, 2000)
    stagger_s: tuple[float, ...] = (0.0, 0.5)

    def __post_init__(self) -> None:
        check_within("jobs", self.jobs, 1, 100_000)
        check_within("paths", self.paths, 1, 16)
        check_within("replicas", self.replicas, 1, 100)
        for rate in self.per_s:
            check_within("per_s", rate, 0.01, 1000)


@dataclass(frozen=True, slots=True)
class RoutingFigures:
    """Seconds to a job's answer, the share of prompt tokens out of caches, and the busiest replica's calls over a mean
    one's, at the moments when a path begins."""

    per_s: float
    prompt_words: int
    stagger_s: float
    gathered: bool
    answer_s: Summary
    cached_share: float
    imbalance: float


async def compare_routing(plan: RoutingPlan) -> tuple[RoutingFigures, ...]:
    """Both ways at every load. Takes real time only to compute."""
    return await asyncio.to_thread(_compared, plan)


def _compared(plan: RoutingPlan) -> tuple[RoutingFigures, ...]:
    loads = itertools.product(plan.prompt_words, plan.per_s, plan.stagger_s, (False, True))
    return tuple(run_virtually(_Day(plan, *load).figures()) for load in loads)


class _Day:
    """All jobs of one load."""

    def __init__(self, plan: RoutingPlan, words: int, per_s: float, stagger_s: float, gathered: bool) -> None:
        self._plan, self._words, self._per_s, self._stagger_s = plan, words, per_s, stagger_s
        self._gathered = gathered
        self._imbalances: list[float] = []

    async def figures(self) -> RoutingFigures:
        loop, dice = asyncio.get_running_loop(), random.Random(1)
        # One batch for all: where a replica takes no more, calls wait for it, and nothing is left to route.
        settings = SimulatedSettings.target().model_copy(update={"max_batch_size": 512})
        names = [f"http://replica-{number}" for number in range(self._plan.replicas)]
        backends = {name: SimulatedBackend(settings, now=loop.time) for name in names}
        limits = PoolLimits(max_in_flight=512, gathered=self._gathered)
        async with EnginePool(
            FixedReplicas(names), lambda url: _DirectEngine(backends[url]), limits, rng=dice, now=loop.time
        ) as pool:
            author = Author(pool, CallKind.WRITE, Source.TARGET)
            async with asyncio.TaskGroup() as group:
                jobs = []
                for number in range(self._plan.jobs):
                    jobs.append(group.create_task(self._job(author, pool, number)))
                    await asyncio.sleep(dice.expovariate(self._per_s))
        prompts = sum(one.activity.prompt_tokens for one in backends.values())
        return RoutingFigures(
            per_s=self._per_s,
            prompt_words=self._words,
            stagger_s=self._stagger_s,
            gathered=self._gathered,
            answer_s=Summary.of([job.result() for job in jobs]),
            cached_share=share(sum(one.activity.cached_tokens for one in backends.values()), prompts),
            imbalance=share(sum(self._imbalances), len(self._imbalances)),
        )

    async def _job(self, author: Author, pool: EnginePool, number: int) -> float:
        began = asyncio.get_running_loop().time()
        filler = " ".join(f"word{number}x{place}" for place in range(self._words // 2))
        problem = f"{filler} {sum_problem(number, 8)}".strip()
        async with asyncio.TaskGroup() as group:
            for path in range(self._plan.paths):
                group.create_task(self._path(author, pool, number, path, problem))
        return asyncio.get_running_loop().time() - began

    async def _path(self, author: Author, pool: EnginePool, number: int, path: int, problem: str) -> None:
        await asyncio.sleep(path * self._stagger_s)
        running = [replica.running for replica in pool.snapshot().replicas]
        if sum(running):
            self._imbalances.append(max(running) * len(running) / sum(running))
        context = PathContext(f"job-{number}", path, problem, NO_STRATEGY, (), number)
        async with aclosing(author.stream(context, Options())) as steps:
            async for _ in steps:
                pass


class _DirectEngine(StreamingEngine):
    """A simulated engine without HTTP, of which writing is all that is asked."""

    def __init__(self, backend: SimulatedBackend) -> None:
        self._backend = backend

    async def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        asked = GenerateRequest(prompt, max_tokens, 0, do_sample=True, seed=sampling.seed or 0, stop=tuple(stop))
        text, tokens = "", 0
        async with aclosing(self._backend.generate(asked)) as arriving:
            async for events in arriving:
                for event in events:
                    fresh, tokens = "" if event.token.special else event.token.text, tokens + 1
                    text += fresh
                    whole = None
                    if (end := event.end) is not None:
                        whole = Generation(text, tokens, _FINISH[end.reason], end.prompt_tokens, end.cached_tokens)
                    yield Piece(fresh, tokens, whole)

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return await self._backend.render(messages)

    async def count_tokens(self, text: str) -> int:
        return len(await self._backend.tokenize(text))

    async def info(self) -> EngineInfo:
        info = self._backend.info()
        return EngineInfo(info.model_id, info.parameters, info.max_total_tokens, info.max_top_n_tokens)

    async def __aenter__(self) -> Self:
        await self._backend.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._backend.__aexit__(*exc)
