"""Services that end: health fails first, calls in hand are finished, and new ones go elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S

from ssr.core.types import Source, Step
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultPlan
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.runtime.rpc.step_wire import step_to_wire
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.v1 import (
    drafting_pb2,
    drafting_pb2_grpc,
    selection_pb2,
    selection_pb2_grpc,
    step_pb2,
    verification_pb2,
    verification_pb2_grpc,
)
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings

PROBLEM = "What is (12 * 7) + 19?"
CONTEXT = step_pb2.PathContext(job_id="job-1", problem=PROBLEM, seed=1)
SAMPLING = step_pb2.Sampling(temperature=0.6, top_p=0.95)
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Service:
    """How to run a service on an engine, and a call of it that takes the engine's time."""

    name: str
    running: Callable[[EngineSettings], AbstractAsyncContextManager[int]]
    call: Callable[[aio.Channel], Any]


def _draft(channel: aio.Channel) -> Any:
    request = drafting_pb2.DraftRequest(context=CONTEXT, sampling=SAMPLING, max_tokens=64)
    return drafting_pb2_grpc.DraftingServiceStub(channel).Draft(request, timeout=LIMIT_S)


def _verify(channel: aio.Channel) -> Any:
    step = step_to_wire(Step(0, "12 * 7 = 84", Source.DRAFT, 6))
    request = verification_pb2.VerifyRequest(context=CONTEXT, step=step, threshold=7, sampling=SAMPLING, max_tokens=64)
    return verification_pb2_grpc.VerificationServiceStub(channel).Verify(request, timeout=LIMIT_S)


def _select(channel: aio.Channel) -> Any:
    request = selection_pb2.SelectRequest(job_id="job-1", problem=PROBLEM, strategy_set="school", count=3)
    return selection_pb2_grpc.SelectionServiceStub(channel).Select(request, timeout=LIMIT_S)


SERVICES = (
    Service("drafter", lambda engine: running_drafter(DrafterSettings(engine=engine, grace_s=LIMIT_S)), _draft),
    Service("verifier", lambda engine: running_verifier(VerifierSettings(engine=engine, grace_s=LIMIT_S)), _verify),
    Service("selector", lambda engine: running_selector(SelectorSettings(engine=engine, grace_s=LIMIT_S)), _select),
)


@asynccontextmanager
async def slow_engine() -> AsyncIterator[tuple[SimulatedBackend, EngineSettings]]:
    settings = SimulatedSettings.target().model_copy(update={"latency": Latency(prefill_tokens_per_s=2_000)})
    backend = SimulatedBackend(settings)
    async with running_server(backend, grace_s=1) as url:
        yield backend, EngineSettings(urls=(url,))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_a_service_that_ends_finishes_its_calls(service: Service) -> None:
    async with slow_engine() as (backend, engine), AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        ending = AsyncExitStack()
        port = await ending.enter_async_context(service.running(engine))
        address = f"127.0.0.1:{port}"
        channel = await stack.enter_async_context(aio.insecure_channel(address))
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
        seen = aiter(health)
        await anext(seen)
        await service.call(channel)  # what is asked of an engine once is asked
        backend.faults.set(FaultPlan(slow_factor=4))
        in_hand = asyncio.ensure_future(_reply(service, channel))
        while not backend.activity.in_flight:
            await asyncio.sleep(0)
        leaving = asyncio.create_task(ending.aclose())
        while (await anext(seen)).status != NOT_SERVING:
            pass
        health.cancel()  # or it would be waited for as a call in hand
        assert not in_hand.done(), "health fails while the call is still in hand"
        await in_hand
        await leaving
        assert backend.activity.cancelled == 0
        with pytest.raises(aio.AioRpcError) as refused:
            await service.call(channel)
        assert refused.value.code() is StatusCode.UNAVAILABLE


async def _reply(service: Service, channel: aio.Channel) -> Any:
    return await service.call(channel)
