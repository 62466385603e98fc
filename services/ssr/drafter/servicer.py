"""DraftingService: the draft model's author behind gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from grpc import aio

from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reporter import reporting
from ssr.core.types import CallKind, Source
from ssr.drafter.settings import DrafterSettings
from ssr.engines.asked_steps import write_steps, written_step
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr.engines.load import Pool
from ssr.engines.load_meter import LoadMeter
from ssr.engines.measure import measure
from ssr.engines.measured import open_measured_engine
from ssr.runtime.rpc.server import Servicer, running_service
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.v1 import drafting_pb2, drafting_pb2_grpc, step_pb2


class DraftingServicer(drafting_pb2_grpc.DraftingServiceServicer):
    """Checks requests and has an Author write."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._author = Author(engine, CallKind.DRAFT, Source.DRAFT)

    async def Draft(  # noqa: N802 - gRPC's name
        self,
        request: drafting_pb2.DraftRequest,
        context: aio.ServicerContext[drafting_pb2.DraftRequest, drafting_pb2.DraftResponse],
    ) -> drafting_pb2.DraftResponse:
        return await written_step(self._author, request, drafting_pb2.DraftResponse)

    async def DraftSteps(  # type: ignore[override] # noqa: N802 - gRPC's name
        self,
        request: drafting_pb2.DraftRequest,
        context: aio.ServicerContext[drafting_pb2.DraftRequest, drafting_pb2.DraftResponse],
    ) -> None:
        await write_steps(self._author, request, drafting_pb2.DraftResponse, context)

    async def Measure(  # noqa: N802 - gRPC's name
        self,
        request: step_pb2.MeasureRequest,
        context: aio.ServicerContext[step_pb2.MeasureRequest, step_pb2.MeasureResponse],
    ) -> step_pb2.MeasureResponse:
        return await measure(self._engine, request)


@asynccontextmanager
async def running_drafter(settings: DrafterSettings) -> AsyncIterator[int]:
    """The drafter, serving until the block ends; yields its port."""
    async with (
        open_telemetry("drafter", settings) as telemetry,
        open_measured_engine(settings.engine, Pool.DRAFT, telemetry) as engine,
        reporting(settings, Service.DRAFTER, LoadMeter(engine)),
    ):
        add = partial(drafting_pb2_grpc.add_DraftingServiceServicer_to_server, DraftingServicer(engine))
        async with running_service(settings, telemetry, [Servicer("ssr.v1.DraftingService", add)]) as port:
            yield port
