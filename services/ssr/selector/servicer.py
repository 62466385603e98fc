"""SelectionService: the selector's gRPC face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from grpc import aio

from ssr.autoscaler.policy.signals import Service
from ssr.autoscaler.reporter import reporting
from ssr.core.errors import InvalidRequest
from ssr.core.limits import MAX_PATHS, check_member, check_problem
from ssr.core.types import Options, SelectionRule
from ssr.engines.base import work_of
from ssr.engines.load import Pool
from ssr.engines.load_meter import LoadMeter
from ssr.engines.measured import open_measured_engine
from ssr.runtime.rpc.requests import check_cache_salt, check_job_id
from ssr.runtime.rpc.server import Servicer, running_service
from ssr.runtime.rpc.step_wire import calls_to_wire, strategy_to_wire
from ssr.runtime.telemetry.log_context import about
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.selector.selector import StrategySelector
from ssr.selector.settings import SelectorSettings
from ssr.selector.strategy_sets import load_strategy_sets
from ssr.v1 import selection_pb2, selection_pb2_grpc


class SelectionServicer(selection_pb2_grpc.SelectionServiceServicer):
    """Checks requests and hands them to a StrategySelector."""

    def __init__(self, selector: StrategySelector) -> None:
        self._selector = selector

    async def Select(  # noqa: N802 - gRPC's name
        self,
        request: selection_pb2.SelectRequest,
        context: aio.ServicerContext[selection_pb2.SelectRequest, selection_pb2.SelectResponse],
    ) -> selection_pb2.SelectResponse:
        check_job_id(request.job_id)
        check_problem(request.problem)
        if not 1 <= request.count <= MAX_PATHS:
            raise InvalidRequest("count", f"must be within 1..{MAX_PATHS}; got {request.count}")
        rule = request.selection or SelectionRule.RANKING
        check_member("selection", rule, SelectionRule)
        options = Options(strategy_set=request.strategy_set, paths=request.count, selection=rule, domain=request.domain)
        check_cache_salt(request.cache_salt)
        with about(request.job_id, texts=(request.problem,)), work_of(request.batch, request.cache_salt):
            selection = await self._selector.select(request.job_id, request.problem, options)
        return selection_pb2.SelectResponse(
            strategies=[strategy_to_wire(strategy) for strategy in selection.strategies],
            calls=calls_to_wire(selection.calls),
        )

    async def ListStrategySets(  # noqa: N802 - gRPC's name
        self,
        request: selection_pb2.ListStrategySetsRequest,
        context: aio.ServicerContext[selection_pb2.ListStrategySetsRequest, selection_pb2.ListStrategySetsResponse],
    ) -> selection_pb2.ListStrategySetsResponse:
        return selection_pb2.ListStrategySetsResponse(
            strategy_sets=[
                selection_pb2.StrategySet(name=name, strategies=map(strategy_to_wire, strategies))
                for name, strategies in sorted(self._selector.strategy_sets.items())
            ]
        )


@asynccontextmanager
async def running_selector(settings: SelectorSettings) -> AsyncIterator[int]:
    """The selector, serving until the block ends; yields its port."""
    strategy_sets = await asyncio.to_thread(load_strategy_sets, settings.strategy_sets_folder)
    async with (
        open_telemetry("selector", settings) as telemetry,
        open_measured_engine(settings.engine, Pool.TARGET, telemetry) as engine,
        reporting(settings, Service.SELECTOR, LoadMeter(engine)),
    ):
        servicer = SelectionServicer(StrategySelector(engine, strategy_sets))
        add = partial(selection_pb2_grpc.add_SelectionServiceServicer_to_server, servicer)
        async with running_service(settings, telemetry, [Servicer("ssr.v1.SelectionService", add)]) as port:
            yield port
