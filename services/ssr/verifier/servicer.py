"""VerificationService: the target's verifier and author behind gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from grpc import aio

from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reporter import reporting
from ssr.core.evidence.calibration import Calibration
from ssr.core.stages import OnRejected
from ssr.core.steps import RepeatRule
from ssr.core.types import CallKind, Source
from ssr.engines.asked_steps import write_steps, written_step
from ssr.engines.author import Author
from ssr.engines.base import Engine, work_of
from ssr.engines.load import Pool
from ssr.engines.load_meter import LoadMeter, StepCounts
from ssr.engines.measure import measure
from ssr.engines.measured import open_measured_engine
from ssr.runtime.calibration_file import load_calibration
from ssr.runtime.rpc.requests import checked_context, checked_options
from ssr.runtime.rpc.server import Servicer, running_service
from ssr.runtime.rpc.step_wire import calls_to_wire, step_from_wire, step_to_wire
from ssr.runtime.telemetry.log_context import about_next_step
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.v1 import step_pb2, verification_pb2, verification_pb2_grpc
from ssr.verifier.metrics import VerificationMetrics
from ssr.verifier.reward_scorer import open_reward_model
from ssr.verifier.scoring import Rewarding
from ssr.verifier.settings import VerifierSettings
from ssr.verifier.verifier import TargetVerifier


class VerificationServicer(verification_pb2_grpc.VerificationServiceServicer):
    """Checks requests; a TargetVerifier judges and an Author writes, both with the target engine."""

    def __init__(
        self,
        engine: Engine,
        default_scorer: str,
        metrics: VerificationMetrics,
        reward: Rewarding | None = None,
        calibration: Calibration = Calibration(),  # noqa: B008 - frozen
    ) -> None:
        self._engine, self._metrics, self._default_scorer = engine, metrics, default_scorer
        self._verifier = TargetVerifier(engine, default_scorer, reward, calibration)
        self._author = Author(engine, CallKind.WRITE, Source.TARGET)
        #: What was verified since the start.
        self.steps = StepCounts()

    async def Verify(  # noqa: N802 - gRPC's name
        self,
        request: verification_pb2.VerifyRequest,
        context: aio.ServicerContext[verification_pb2.VerifyRequest, verification_pb2.VerifyResponse],
    ) -> verification_pb2.VerifyResponse:
        return await self._verified(request)

    async def VerifyInParts(  # type: ignore[override] # noqa: N802 - gRPC's name
        self,
        request: verification_pb2.VerifyRequest,
        context: aio.ServicerContext[verification_pb2.VerifyRequest, verification_pb2.VerifyResponse],
    ) -> None:
        async def rejected() -> None:
            await context.write(verification_pb2.VerifyResponse(accepted=False))

        await context.write(await self._verified(request, rejected))

    async def _verified(
        self, request: verification_pb2.VerifyRequest, rejected: OnRejected | None = None
    ) -> verification_pb2.VerifyResponse:
        options = checked_options(
            request.sampling,
            request.max_tokens,
            request.threshold,
            request.scorer,
            repeat_rule=request.repeat_rule or RepeatRule.EARLIER,
        )
        path, began = checked_context(request.context), time.perf_counter()
        asked = request.context
        with about_next_step(path, request.step.text), work_of(asked.batch, asked.cache_salt):
            verdict = await self._verifier.verify(path, step_from_wire(request.step), options, rejected)
        self._metrics.verified(verdict.accepted, time.perf_counter() - began)
        self.steps.verified += 1
        self.steps.rewritten += not verdict.accepted
        return verification_pb2.VerifyResponse(
            step=step_to_wire(verdict.step), accepted=verdict.accepted, calls=calls_to_wire(verdict.calls)
        )

    async def Write(  # noqa: N802 - gRPC's name
        self,
        request: verification_pb2.WriteRequest,
        context: aio.ServicerContext[verification_pb2.WriteRequest, verification_pb2.WriteResponse],
    ) -> verification_pb2.WriteResponse:
        return await written_step(self._author, request, verification_pb2.WriteResponse)

    async def WriteSteps(  # type: ignore[override] # noqa: N802 - gRPC's name
        self,
        request: verification_pb2.WriteRequest,
        context: aio.ServicerContext[verification_pb2.WriteRequest, verification_pb2.WriteResponse],
    ) -> None:
        await write_steps(self._author, request, verification_pb2.WriteResponse, context)

    async def Measure(  # noqa: N802 - gRPC's name
        self,
        request: step_pb2.MeasureRequest,
        context: aio.ServicerContext[step_pb2.MeasureRequest, step_pb2.MeasureResponse],
    ) -> step_pb2.MeasureResponse:
        return await measure(self._engine, request, self._default_scorer)


@asynccontextmanager
async def running_verifier(settings: VerifierSettings) -> AsyncIterator[int]:
    """The verifier, serving until the block ends; yields its port."""
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(open_telemetry("verifier", settings))
        engine = await stack.enter_async_context(open_measured_engine(settings.engine, Pool.TARGET, telemetry))
        reward = await stack.enter_async_context(open_reward_model(settings.reward))
        metrics, calibration = VerificationMetrics(telemetry.registry), load_calibration(settings.calibration)
        servicer = VerificationServicer(engine, settings.scorer, metrics, reward, calibration)
        await stack.enter_async_context(reporting(settings, Service.VERIFIER, LoadMeter(engine, servicer.steps)))
        add = partial(verification_pb2_grpc.add_VerificationServiceServicer_to_server, servicer)
        async with running_service(settings, telemetry, [Servicer("ssr.v1.VerificationService", add)]) as port:
            yield port
