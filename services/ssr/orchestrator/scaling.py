"""This orchestrator's part in scaling: it reports the work to come, and answers KEDA where that is wanted.

For KEDA every replica answers, from the reports; the one that holds the lock in Redis decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from ssr.autoscaler.actuator import ReportedEngines
from ssr.autoscaler.election import RedisLock, leading
from ssr.autoscaler.keda import ExternalScaler
from ssr.autoscaler.loop import Autoscaler
from ssr.autoscaler.metrics import ScalingMetrics
from ssr.autoscaler.reporter import keep_reporting
from ssr.autoscaler.reports import ReportStore
from ssr.externalscaler import externalscaler_pb2_grpc
from ssr.orchestrator.queue.job_queue import JobQueue
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.redis.client import RedisClient
from ssr.runtime.rpc.server import Servicer
from ssr.runtime.telemetry.telemetry import Telemetry

#: Of the lock: how long it lasts, how long its holder goes on without renewing it, and how often it is tried.
_LEASE_S, _RENEW_S, _RETRY_S = 15.0, 10.0, 2.0


@asynccontextmanager
async def taking_part(
    settings: OrchestratorSettings,
    redis: RedisClient,
    report_store: ReportStore,
    workload: WorkloadEstimate,
    queue: JobQueue,
    telemetry: Telemetry,
) -> AsyncIterator[tuple[Sequence[Servicer], asyncio.Event]]:
    """Takes part while the block runs. Yields what is to be served for it, and what ends its streams once set."""
    ending = asyncio.Event()

    async def report() -> None:
        await report_store.report_workload(settings.replica, await workload.look(queue))

    async with keep_reporting(report, lambda: report_store.withdraw_workload(settings.replica), settings.report_s):
        if not settings.keda:
            yield (), ending
            return
        scaler = ExternalScaler(report_store, ending)
        add = partial(externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server, scaler)
        async with _deciding(settings, report_store, redis, telemetry):
            yield (Servicer("externalscaler.ExternalScaler", add),), ending


def _deciding(
    settings: OrchestratorSettings, report_store: ReportStore, redis: RedisClient, telemetry: Telemetry
) -> AbstractAsyncContextManager[None]:
    metrics = ScalingMetrics(telemetry.registry)
    autoscaler = Autoscaler(report_store, ReportedEngines(report_store), settings.scaling, observers=[metrics])
    lock = RedisLock(redis, settings.replica, lease_s=_LEASE_S)
    return leading(lock, autoscaler.run, renew_s=_RENEW_S, retry_s=_RETRY_S, on_change=metrics.leading)
