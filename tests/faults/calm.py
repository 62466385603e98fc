"""How every order ends where nothing goes wrong: the algorithm itself, in this process, on engines of the same make.

No orchestrator, no Redis and no gRPC take part, so the truth does not share their mistakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from workload import Order

from ssr.client.request import resolved
from ssr.core.acceptance import ScorerName
from ssr.core.job import JobStatus
from ssr.core.journal import MemoryJournal
from ssr.core.run import Path
from ssr.core.solve import solve
from ssr.core.stages import Stages
from ssr.core.types import CallKind, Source
from ssr.core.vote import Vote
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr.engines.connect import open_engine
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
from ssr.selector.selector import StrategySelector
from ssr.selector.strategy_sets import load_strategy_sets
from ssr.verifier.verifier import TargetVerifier

#: Orders solved at a time.
_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class CalmEnd:
    """A job's end without faults and without an early stop."""

    status: JobStatus
    votes: tuple[Vote, ...]
    paths: tuple[Path, ...]

    @property
    def answer(self) -> str:
        return self.votes[0].answer if self.votes else ""

    @property
    def steps(self) -> int:
        return sum(len(path.steps) for path in self.paths)


async def calm_ends(orders: Iterable[Order]) -> Mapping[int, CalmEnd]:
    """The end of each variant, every path run to its end."""
    variants = {order.variant: order for order in orders}
    places = asyncio.Semaphore(_AT_A_TIME)

    async def end(order: Order) -> CalmEnd:
        async with places:
            return await _solved(order, stages)

    async with _calm_stages() as stages:
        ends = await asyncio.gather(*map(end, variants.values()))
    return dict(zip(variants, ends, strict=True))


async def _solved(order: Order, stages: Stages) -> CalmEnd:
    given = {name: value for name, value in order.options.items() if name != "deadline_s"}
    options = resolved({**given, "early_stop": False})  # type: ignore[typeddict-item]
    outcome = await solve("calm", order.problem, options, stages, MemoryJournal())
    assert not outcome.error, outcome.error
    return CalmEnd(JobStatus.ANSWERED if outcome.votes else JobStatus.NO_ANSWER, outcome.votes, outcome.run.paths)


@asynccontextmanager
async def _calm_stages() -> AsyncIterator[Stages]:
    async with AsyncExitStack() as stack:
        draft = await stack.enter_async_context(_calm_engine(SimulatedSettings.draft()))
        target = await stack.enter_async_context(_calm_engine(SimulatedSettings.target()))
        yield Stages(
            selector=StrategySelector(target, load_strategy_sets()),
            drafter=Author(draft, CallKind.DRAFT, Source.DRAFT),
            writer=Author(target, CallKind.WRITE, Source.TARGET),
            verifier=TargetVerifier(target, ScorerName.ARITHMETIC_JUDGE),
            equivalence=await stack.enter_async_context(MathVerifyEquivalence()),
        )


@asynccontextmanager
async def _calm_engine(settings: SimulatedSettings) -> AsyncIterator[Engine]:
    backend = SimulatedBackend(settings.model_copy(update={"latency": Latency(time_scale=0)}))
    async with running_server(backend, grace_s=1) as url, open_engine(EngineSettings(urls=(url,))) as engine:
        yield engine
