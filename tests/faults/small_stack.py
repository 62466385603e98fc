"""The whole system in this process: two replicas of each engine whose faults a test sets, orchestrators as wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from customers import PATIENT

from ssr.client import AsyncClient
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultPlan
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

#: Seconds for anything of a test that should take none.
LIMIT_S = 100.0


@dataclass(frozen=True, slots=True)
class SmallStack:
    """Everything but the orchestrators."""

    orchestrator: OrchestratorSettings
    drafts: Sequence[SimulatedBackend]
    targets: Sequence[SimulatedBackend]

    @property
    def engines(self) -> tuple[SimulatedBackend, ...]:
        return (*self.drafts, *self.targets)

    def plan(self, plan: FaultPlan) -> None:
        """The same faults for all engines."""
        for engine in self.engines:
            engine.faults.set(plan)

    async def drafting(self, calls: int) -> None:
        """Returns once so many drafts are being written at a time."""
        async with asyncio.timeout(LIMIT_S):
            while sum(engine.activity.in_flight for engine in self.drafts) < calls:
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def replica(self, name: str, **settings: object) -> AsyncIterator[AsyncClient]:
        """One orchestrator, and a client of it, until the block ends."""
        own = self.orchestrator.model_copy(update={"replica": name, **settings})
        async with running_orchestrator(own) as port, AsyncClient(f"127.0.0.1:{port}", backoff=PATIENT) as client:
            yield client


@asynccontextmanager
async def running_small_stack(
    redis_url: str, *, engine_timeout_s: float = 20.0, step_timeout_s: float = 20.0, time_scale: float = 0.0
) -> AsyncIterator[SmallStack]:
    """Selector, drafter, verifier and engines; `time_scale` 0: the engines take no time."""
    latency = {"latency": Latency(time_scale=time_scale)}
    drafts = [SimulatedBackend(SimulatedSettings.draft().model_copy(update=latency)) for _ in range(2)]
    targets = [SimulatedBackend(SimulatedSettings.target().model_copy(update=latency)) for _ in range(2)]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        draft_urls, target_urls = [
            tuple([await enter(_serving(engine)) for engine in engines]) for engines in (drafts, targets)
        ]
        draft = EngineSettings(urls=draft_urls, timeout_s=engine_timeout_s)
        target = EngineSettings(urls=target_urls, timeout_s=engine_timeout_s)
        selector = await enter(running_selector(SelectorSettings(engine=target, grace_s=1)))
        drafter = await enter(running_drafter(DrafterSettings(engine=draft, grace_s=1)))
        verifier = await enter(running_verifier(VerifierSettings(engine=target, grace_s=1)))
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{selector}",
            drafter=f"127.0.0.1:{drafter}",
            verifier=f"127.0.0.1:{verifier}",
            grace_s=1,
            step_timeout_s=step_timeout_s,
            select_timeout_s=step_timeout_s,
            lease_s=1,
        )
        yield SmallStack(settings, drafts, targets)


@asynccontextmanager
async def _serving(backend: SimulatedBackend) -> AsyncIterator[str]:
    async with running_server(backend, grace_s=1, extend=lambda app: add_simulated_routes(app, backend)) as url:
        yield url
