"""Samples of problems, asked of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from ssr.core.errors import SsrError
from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr_bench.consensus.end_to_end.client import Answer, VllmClient
from ssr_bench.consensus.end_to_end.counters import Counts
from ssr_bench.consensus.end_to_end.figures import Sampled
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan
from ssr_bench.consensus.end_to_end.replayed import Replay
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.statistics import Summary

_WARM_UP = "What is 2 + 2?"
_WARM_UP_TOKENS = 8


@dataclass(frozen=True, slots=True)
class ServedSample:
    """The answer number `index` to a problem; `place` is the problem's."""

    place: int
    index: int
    problem: Problem
    answer: Answer


#: Called with each sample when it has ended.
Keep = Callable[[ServedSample], None]


async def warmed_up(client: VllmClient, model: str, plan: EndToEndPlan) -> Counts:
    """The server's counts when it has answered a small request."""
    before = await client.counts()
    answer = await client.sample(model, solving(_WARM_UP, NO_STRATEGY), plan, _WARM_UP_TOKENS, plan.seed)
    return await client.counts_after(before, answer.count)


async def sampled(
    client: VllmClient,
    model: str,
    plan: EndToEndPlan,
    problems: Sequence[Problem],
    keep: Keep,
    replay: Replay | None = None,
) -> Sampled:
    """All samples of all problems, or what was recorded of them.

    Raises: what the client raises; the first error ends it.
    """
    run = _Run(client, model, plan, keep, replay)
    queue = iter(enumerate(problems))
    begun = perf_counter()
    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(plan.at_a_time):
                workers.create_task(run.work(queue))
    except BaseExceptionGroup as group:
        raise _first(group) from group
    return Sampled(
        samples=len(run.latencies_s),
        tokens=run.tokens,
        wall_s=perf_counter() - begun,
        latency_s=Summary.of(run.latencies_s),
    )


class _Run:
    def __init__(self, client: VllmClient, model: str, plan: EndToEndPlan, keep: Keep, replay: Replay | None) -> None:
        self._client, self._model, self._plan, self._keep, self._replay = client, model, plan, keep, replay
        self.latencies_s: list[float] = []
        self.tokens = 0

    async def work(self, queue: Iterator[tuple[int, Problem]]) -> None:
        """One problem of the queue after the other."""
        for place, problem in queue:
            async with asyncio.TaskGroup() as siblings:
                for index in range(self._plan.samples):
                    siblings.create_task(self._sample(place, index, problem))

    async def _sample(self, place: int, index: int, problem: Problem) -> None:
        plan = self._plan
        if plan.stagger_s:
            await asyncio.sleep(index * plan.stagger_s)
        seed = None if plan.seed is None else plan.seed + place * plan.samples + index
        messages = solving(problem.prompt, NO_STRATEGY)
        recorded = () if self._replay is None else self._replay.tokens(problem.id, index)
        most = len(recorded) or plan.max_tokens
        answer = await self._client.sample(self._model, messages, plan, most, seed, recorded)
        self.latencies_s.append(answer.latency_s)
        self.tokens += answer.count
        self._keep(ServedSample(place, index, problem, answer))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """An error of ours among those of tasks; the group itself if it has another error."""
    ours, others = group.split(SsrError)
    if others is not None or ours is None:
        return group
    error: BaseException = ours
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
