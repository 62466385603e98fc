"""The orchestrator: API, queue worker and their connections, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from ssr.equivalence.checker import MathVerifyEquivalence
from ssr.orchestrator.admission import Admission
from ssr.orchestrator.api import ReasoningServicer
from ssr.orchestrator.crew import open_crew
from ssr.orchestrator.intake import Intake
from ssr.orchestrator.notices import running_notices
from ssr.orchestrator.outlook import WorkOutlook
from ssr.orchestrator.queue import JobQueue, QueueLimits
from ssr.orchestrator.readiness import redis_readiness
from ssr.orchestrator.replica_watch import watch_replica
from ssr.orchestrator.room import Room
from ssr.orchestrator.runner import Runner
from ssr.orchestrator.scaling import taking_part
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.orchestrator.store import JobStore
from ssr.orchestrator.watch import JobWatch
from ssr.orchestrator.worker import QueueWorker
from ssr.redis.client import open_redis
from ssr.rpc.api_keys import ApiKeyCheck, open_api_keys
from ssr.rpc.server import Servicer, running_service
from ssr.telemetry.telemetry import open_telemetry
from ssr.v1 import reasoning_pb2_grpc

#: The calls that begin a trace, if their caller has none: one trace a job.
_BEGIN_JOBS = tuple(f"/ssr.v1.ReasoningService/{name}" for name in ("Submit", "Solve", "SolveStream"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def running_orchestrator(settings: OrchestratorSettings) -> AsyncIterator[int]:
    """The orchestrator, serving and working until the block ends; yields its port."""
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(open_telemetry("orchestrator", settings))
        watch = JobWatch.of(telemetry)
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        equivalence = await stack.enter_async_context(MathVerifyEquivalence())
        crew = await stack.enter_async_context(open_crew(settings, equivalence, watch))
        notices = await stack.enter_async_context(running_notices(redis))
        store = JobStore(redis, _now_ms, retention_s=settings.retention_s)
        limits = QueueLimits(settings.max_unfinished, settings.tenant_jobs, settings.tenant_limits)
        queue = JobQueue(redis, settings.replica, limits)
        outlook = WorkOutlook(settings.report_s)
        runner = Runner(
            store,
            notices,
            crew.solving,
            outlook,
            watch,
            _now_ms,
            replica=settings.replica,
            max_takeovers=settings.max_takeovers,
            drain_s=settings.grace_s,
            stagger_s=settings.stagger_s,
        )
        room = Room(settings.max_paths, settings.batch_paths)
        worker = QueueWorker(queue, runner, notices, room, lease_s=settings.lease_s)
        watch_replica(telemetry, redis, worker, queue, settings)
        admission = Admission(crew.selector, crew.drafter.measure, crew.verifier.measure, settings.defaults.options())
        intake = Intake(admission, store, queue, outlook, watch, _now_ms, retention_s=settings.retention_s)
        servicer = ReasoningServicer(store, notices, intake)
        add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, servicer)
        scalers, ending = await stack.enter_async_context(taking_part(settings, redis, outlook, queue, telemetry))
        keys = None if settings.api_keys is None else await stack.enter_async_context(open_api_keys(settings.api_keys))
        await stack.enter_async_context(_working(worker))

        async def drain() -> None:
            ending.set()
            await worker.leave()

        # At the end health fails first, then the worker's jobs go on elsewhere while calls in flight have their grace.
        port = await stack.enter_async_context(
            running_service(
                settings,
                telemetry,
                [Servicer("ssr.v1.ReasoningService", add), *scalers],
                begins=_BEGIN_JOBS,
                drain=drain,
                checks=[ApiKeyCheck(keys)] if keys is not None else [],
                readiness=partial(redis_readiness, redis),
            )
        )
        yield port


@asynccontextmanager
async def _working(worker: QueueWorker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.work(), name="worker")
        yield
        working.cancel()
