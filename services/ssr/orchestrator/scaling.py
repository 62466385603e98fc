"""This orchestrator's part in scaling: it tells of the work to come, and answers KEDA where that is wanted.

For KEDA every replica answers, from the board; the one that holds the lock in Redis decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from ssr.autoscaler.board import Board
from ssr.autoscaler.election import leading
from ssr.autoscaler.keda import ExternalScaler
from ssr.autoscaler.loop import Autoscaler
from ssr.autoscaler.redis_lock import RedisLock
from ssr.autoscaler.reported import ReportedEngines
from ssr.autoscaler.reporter import MISSED_REPORTS, telling
from ssr.externalscaler import externalscaler_pb2_grpc
from ssr.orchestrator.outlook import WorkOutlook
from ssr.orchestrator.queue import JobQueue
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.redis.client import RedisClient
from ssr.rpc.server import Servicer
from ssr.telemetry.scaling_metrics import ScalingMetrics
from ssr.telemetry.telemetry import Telemetry

#: Of the lock: how long it lasts, how long its holder goes on without renewing it, and how often it is tried.
_LEASE_S, _RENEW_S, _RETRY_S = 15.0, 10.0, 2.0


@asynccontextmanager
async def taking_part(
    settings: OrchestratorSettings, redis: RedisClient, outlook: WorkOutlook, queue: JobQueue, telemetry: Telemetry
) -> AsyncIterator[tuple[Sequence[Servicer], asyncio.Event]]:
    """Takes part while the block runs. Yields what is to be served for it, and what ends its streams once set."""
    board, ending = Board(redis, ttl_s=MISSED_REPORTS * settings.report_s), asyncio.Event()

    async def tell() -> None:
        await board.tell_outlook(settings.replica, await outlook.look(queue))

    async with telling(tell, lambda: board.withdraw_outlook(settings.replica), settings.report_s):
        if not settings.keda:
            yield (), ending
            return
        scaler = ExternalScaler(board, ending)
        add = partial(externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server, scaler)
        async with _deciding(settings, board, redis, telemetry):
            yield (Servicer("externalscaler.ExternalScaler", add),), ending


def _deciding(
    settings: OrchestratorSettings, board: Board, redis: RedisClient, telemetry: Telemetry
) -> AbstractAsyncContextManager[None]:
    metrics = ScalingMetrics(telemetry.registry)
    autoscaler = Autoscaler(board, ReportedEngines(board), settings.scaling, observers=[metrics])
    lock = RedisLock(redis, settings.replica, lease_s=_LEASE_S)
    return leading(lock, autoscaler.run, renew_s=_RENEW_S, retry_s=_RETRY_S, on_change=metrics.leading)
