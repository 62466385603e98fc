"""KEDA scales both pools from zero: a job that finds no engine waits, wakes both pools at once, and is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from hang_limit import LIMIT_S
from keda_operator import ScaledObject

from ssr.autoscaler.keda import METRIC
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.load import Pool
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

OFTEN_S = 0.05
ASLEEP = ScalingLimits(min_replicas=0, max_replicas=3, slots=8)
SCALING = ScalingSettings(draft=ASLEEP, target=ASLEEP, interval_s=OFTEN_S)


@dataclass
class Cluster:
    """What Kubernetes is here: engines that start when somebody says so, and that services find in a file."""

    folder: Path
    stack: AsyncExitStack

    def file(self, pool: Pool) -> Path:
        return self.folder / pool

    def engine(self, pool: Pool) -> EngineSettings:
        self.file(pool).touch()
        return EngineSettings(urls=(self.file(pool).as_uri(),), refresh_s=OFTEN_S)

    async def start(self, pool: Pool) -> None:
        settings = SimulatedSettings.draft() if pool is Pool.DRAFT else SimulatedSettings.target()
        backend = SimulatedBackend(settings.model_copy(update={"latency": Latency(time_scale=0)}))
        self.file(pool).write_text(await self.stack.enter_async_context(running_server(backend, grace_s=1)))


@dataclass
class System:
    cluster: Cluster
    api: reasoning_pb2_grpc.ReasoningServiceAsyncStub
    scaled: dict[Pool, ScaledObject]

    async def solve(self, request: reasoning_pb2.SolveRequest) -> reasoning_pb2.Job:
        return await self.api.Solve(request)


@pytest.fixture
async def system(redis_url: str, tmp_path: Path) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        enter, cluster = stack.enter_async_context, Cluster(tmp_path, stack)
        target: dict[str, Any] = {
            "engine": cluster.engine(Pool.TARGET),
            "grace_s": 1,
            "redis_url": redis_url,
            "report_s": OFTEN_S,
        }
        draft = {**target, "engine": cluster.engine(Pool.DRAFT)}
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{await enter(running_selector(SelectorSettings(**target)))}",
            drafter=f"127.0.0.1:{await enter(running_drafter(DrafterSettings(**draft)))}",
            verifier=f"127.0.0.1:{await enter(running_verifier(VerifierSettings(**target)))}",
            grace_s=1,
            report_s=OFTEN_S,
            keda=True,
            scaling=SCALING,
        )
        port = await enter(running_orchestrator(settings))
        channel = await enter(aio.insecure_channel(f"127.0.0.1:{port}"))
        scaled = {pool: ScaledObject(channel, pool=pool) for pool in Pool}
        yield System(cluster, reasoning_pb2_grpc.ReasoningServiceStub(channel), scaled)


async def asleep(scaled: ScaledObject) -> None:
    """Waits for the first decision, which is for no engines."""
    while True:
        with suppress(aio.AioRpcError):
            assert await scaled.value_and_activity(METRIC) == (0, False)
            return


async def awake(scaled: ScaledObject) -> None:
    """Waits for KEDA's wake-up call on the stream."""
    async for active in scaled.pushed():
        if active:
            return


async def test_a_job_wakes_the_pools_together(system: System) -> None:
    draft, target = (system.scaled[pool] for pool in Pool)
    await asleep(draft)
    await asleep(target)
    request = reasoning_pb2.SolveRequest(
        problem="What is (12 * 7) + 19?", options=reasoning_pb2.Options(mode=reasoning_pb2.MODE_SSD, seed=1)
    )
    async with asyncio.TaskGroup() as group:
        solving = group.create_task(system.solve(request))
        await awake(draft)
        await awake(target)  # though nothing has been drafted yet
        await system.cluster.start(Pool.DRAFT)
        await system.cluster.start(Pool.TARGET)
    assert solving.result().answer == "103"
