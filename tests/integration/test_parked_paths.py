"""An engine pool without a ready replica: its paths wait, their job says so, and go on when there is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from hang_limit import LIMIT_S

from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

PROBLEM = "What is (12 * 7) + 19?"


class System:
    """All services; engines come into the pools' files, and leave them."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack

    def engine(self, pool: str) -> EngineSettings:
        (self._folder / pool).touch()
        return EngineSettings(urls=((self._folder / pool).as_uri(),), refresh_s=0.05)

    async def start(self, pool: str) -> AsyncExitStack:
        """An engine of the pool; closing what is returned ends it."""
        settings = SimulatedSettings.draft() if pool == "draft" else SimulatedSettings.target()
        backend = SimulatedBackend(settings.model_copy(update={"latency": Latency(time_scale=0)}))
        stack = AsyncExitStack()
        self._stack.push_async_callback(stack.aclose)
        (self._folder / pool).write_text(await stack.enter_async_context(running_server(backend, grace_s=1)))
        return stack

    async def serve(self, redis_url: str, step_timeout_s: float) -> reasoning_pb2_grpc.ReasoningServiceAsyncStub:
        enter, common = self._stack.enter_async_context, {"grace_s": 1}
        target: dict[str, Any] = {**common, "engine": self.engine("target")}
        draft: dict[str, Any] = {**common, "engine": self.engine("draft")}
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{await enter(running_selector(SelectorSettings(**target)))}",
            drafter=f"127.0.0.1:{await enter(running_drafter(DrafterSettings(**draft)))}",
            verifier=f"127.0.0.1:{await enter(running_verifier(VerifierSettings(**target)))}",
            grace_s=1,
            step_timeout_s=step_timeout_s,
        )
        port = await enter(running_orchestrator(settings))
        return reasoning_pb2_grpc.ReasoningServiceStub(await enter(aio.insecure_channel(f"127.0.0.1:{port}")))


@pytest.fixture
async def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    monkeypatch.setattr("ssr.engines.places._NO_ENGINE_S", 0.2)
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        yield System(tmp_path, stack)


async def waiting_for(stub: reasoning_pb2_grpc.ReasoningServiceAsyncStub, job_id: str, *pools: str) -> pb.Job:
    """The job once its paths wait for just these pools."""
    while True:
        job: pb.Job = await stub.Get(pb.GetRequest(job_id=job_id))
        if tuple(job.waiting_for) == pools:
            return job
        await asyncio.sleep(0.02)


async def test_paths_wait_for_an_engine_longer_than_a_step_may_take(redis_url: str, system: System) -> None:
    stub = await system.serve(redis_url, step_timeout_s=2)
    await system.start("target")
    request = pb.SolveRequest(problem=PROBLEM, options=pb.Options(mode=pb.MODE_SSR, paths=3, seed=1))
    job = await stub.Submit(request)
    assert (await waiting_for(stub, job.job_id, "draft")).status == pb.JOB_STATUS_RUNNING
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 2.5:  # over step_timeout_s
        assert (await stub.Get(pb.GetRequest(job_id=job.job_id))).status == pb.JOB_STATUS_RUNNING
        await asyncio.sleep(0.1)
    await system.start("draft")
    ended = await stub.Solve(pb.SolveRequest(problem="What is 1 + 1?"))
    assert ended.status == pb.JOB_STATUS_ANSWERED
    while (now := await stub.Get(pb.GetRequest(job_id=job.job_id))).status == pb.JOB_STATUS_RUNNING:
        await asyncio.sleep(0.02)
    assert (now.status, now.answer, list(now.waiting_for)) == (pb.JOB_STATUS_ANSWERED, "103", [])


async def test_the_only_engine_of_each_pool_is_replaced_under_load_and_no_job_fails(
    redis_url: str, system: System
) -> None:
    stub = await system.serve(redis_url, step_timeout_s=LIMIT_S)
    engines = {pool: await system.start(pool) for pool in ("draft", "target")}

    async def solve(number: int) -> pb.Job:
        request = pb.SolveRequest(problem=f"What is ({number} * 7) + 19?", options=pb.Options(seed=number))
        job: pb.Job = await stub.Solve(request)
        return job

    jobs = [asyncio.create_task(solve(number)) for number in range(2, 42)]
    for pool, engine in engines.items():
        await asyncio.sleep(0.1)
        await engine.aclose()
        await system.start(pool)
    ended = await asyncio.gather(*jobs)
    assert {job.status for job in ended} == {pb.JOB_STATUS_ANSWERED}
