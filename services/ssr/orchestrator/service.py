"""The orchestrator: API, queue worker and their connections, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from ssr.autoscaler.reporter import MISSED_REPORTS
from ssr.autoscaler.reports import ReportStore
from ssr.orchestrator.api.admin import AdminServicer
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.api.batches import Batches
from ssr.orchestrator.api.files import FileServicer
from ssr.orchestrator.api.intake import Intake
from ssr.orchestrator.api.server_info import ServerInformation
from ssr.orchestrator.api.servicer import MAX_LIST, ReasoningServicer
from ssr.orchestrator.api.visibility import Visibility
from ssr.orchestrator.calibration import Priors, calibrated, cascade_shape, learn_models
from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
from ssr.orchestrator.metrics.equivalence import EquivalenceMetrics
from ssr.orchestrator.metrics.job_records import JobRecords
from ssr.orchestrator.metrics.redis_memory import MemoryMetrics
from ssr.orchestrator.queue.batch_store import BatchStore
from ssr.orchestrator.queue.control import QueueControl
from ssr.orchestrator.queue.file_store import FileStore
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.job_queue import JobQueue, QueueLimits
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.rates import RateLimits, Rates
from ssr.orchestrator.queue.wakeups import running_wakeups
from ssr.orchestrator.rate_settings import rates_of
from ssr.orchestrator.readiness import check_access, redis_readiness
from ssr.orchestrator.redis_mark import watching_mark
from ssr.orchestrator.redis_memory import watching_memory
from ssr.orchestrator.replica_metrics import measure_replica
from ssr.orchestrator.run.capacity import Capacity
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.runner import Runner
from ssr.orchestrator.run.stages import RemoteStages, behalf_of, open_stages
from ssr.orchestrator.run.worker import QueueWorker
from ssr.orchestrator.scaling import taking_part
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.orchestrator.workload import WorkloadEstimate
from ssr.runtime.calibration_file import load_calibration
from ssr.runtime.redis.client import open_redis
from ssr.runtime.rpc.api_keys import ApiKeyCheck, open_api_keys
from ssr.runtime.rpc.server import Servicer, running_service
from ssr.runtime.telemetry.telemetry import open_telemetry
from ssr.v1 import admin_pb2_grpc, files_pb2_grpc, reasoning_pb2_grpc

#: The calls that begin a trace, if their caller has none: one trace a job.
_BEGIN_JOBS = tuple(f"/ssr.v1.ReasoningService/{name}" for name in ("Submit", "Solve", "SolveStream"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def running_orchestrator(settings: OrchestratorSettings) -> AsyncIterator[int]:
    """The orchestrator, serving and working until the block ends; yields its port."""
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(open_telemetry("orchestrator", settings))
        watch = JobRecords.of(telemetry)
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        looked_at = await stack.enter_async_context(open_redis(settings.redis_url))
        await check_access(looked_at)
        equivalence = await stack.enter_async_context(
            MathVerifyEquivalence(settings.equivalence, EquivalenceMetrics(telemetry.registry))
        )
        parking = Parking()
        priors = Priors(load_calibration(settings.calibration))
        stages = await stack.enter_async_context(open_stages(settings, equivalence, watch, parking))
        wakeups = await stack.enter_async_context(running_wakeups(redis))
        followers = Followers(wakeups)
        store = JobStore(redis, _now_ms, retention_s=settings.retention_s, followers=followers)
        limits = QueueLimits(
            settings.max_unfinished, settings.tenant_jobs, settings.caller_jobs, settings.tenant_limits
        )
        queue = JobQueue(redis, settings.replica, limits)
        rates = Rates(redis, RateLimits(rates_of(settings.tenant_rates), rates_of(settings.caller_rates)))
        workload = WorkloadEstimate(settings.report_s)
        runner = Runner(
            store,
            wakeups,
            stages.solving,
            workload,
            watch,
            _now_ms,
            parking,
            replica=settings.replica,
            max_takeovers=settings.max_takeovers,
            drain_s=settings.grace_s,
            stagger_s=settings.stagger_s,
            stages_of=lambda claim: stages.solving_for(
                behalf_of(claim.tenant, claim.request.priority, settings.cache_salt_key)
            ),
            priors=priors,
            rates=rates,
        )
        capacity = Capacity(settings.max_paths, settings.batch_paths)
        control = QueueControl(redis, _now_ms)
        attend = partial(control.attend, settings.replica)
        worker = QueueWorker(queue, runner, wakeups, capacity, lease_s=settings.lease_s, attend=attend)
        measure_replica(telemetry, redis, worker, queue, control, parking, settings)
        memory = MemoryMetrics(telemetry.registry)
        await stack.enter_async_context(watching_memory(redis, memory))
        await stack.enter_async_context(watching_mark(redis, memory.emptied))
        admission = Admission(
            stages.selector,
            stages.drafter.measure,
            stages.verifier.measure,
            lambda domain: calibrated(settings.defaults, priors.entry(domain)),
            lambda domain: cascade_shape(priors.entry(domain)),
        )
        intake = Intake(
            admission, store, queue, workload, watch, _now_ms, retention_s=settings.retention_s, rates=rates
        )
        batch_store = BatchStore(redis, retention_s=settings.retention_s)
        batches = Batches(admission, intake, store, batch_store, _now_ms)
        information = ServerInformation(
            stages.selector,
            stages.drafter.measure,
            stages.verifier.measure,
            lambda: calibrated(settings.defaults, priors.entry("")),
            max_list=MAX_LIST,
            max_unfinished=settings.max_unfinished,
        )
        visibility = Visibility(apart=settings.subtenants_apart)
        reports = ReportStore(redis, ttl_s=MISSED_REPORTS * settings.report_s)
        servicer = ReasoningServicer(store, wakeups, followers, intake, batches, information, visibility, reports)
        add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, servicer)
        admin = AdminServicer(control, store, queue, _now_ms, retention_s=settings.retention_s)
        administer = partial(admin_pb2_grpc.add_AdminServiceServicer_to_server, admin)
        files = FileServicer(FileStore(redis, settings.files), settings.files, _now_ms)
        keep_files = partial(files_pb2_grpc.add_FileServiceServicer_to_server, files)
        scalers, ending = await stack.enter_async_context(
            taking_part(settings, redis, reports, workload, queue, telemetry)
        )
        keys = None
        if settings.api_keys is not None:
            keys = await stack.enter_async_context(open_api_keys(settings.api_keys, settings.administrator))
        await stack.enter_async_context(_working(worker))
        if priors.depend_on_models:
            await stack.enter_async_context(_learning(priors, stages))

        async def drain() -> None:
            ending.set()
            await worker.leave()

        # At the end health fails first, then the worker's jobs go on elsewhere while calls in flight have their grace.
        port = await stack.enter_async_context(
            running_service(
                settings,
                telemetry,
                [
                    Servicer("ssr.v1.ReasoningService", add),
                    Servicer("ssr.v1.AdminService", administer),
                    Servicer("ssr.v1.FileService", keep_files),
                    *scalers,
                ],
                begins=_BEGIN_JOBS,
                drain=drain,
                checks=[ApiKeyCheck(keys)] if keys is not None else [],
                readiness=partial(redis_readiness, looked_at),
            )
        )
        yield port


@asynccontextmanager
async def _learning(priors: Priors, stages: RemoteStages) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        learning = learn_models(priors, stages.drafter.measure, stages.verifier.measure)
        task = group.create_task(learning, name="models")
        yield
        task.cancel()


@asynccontextmanager
async def _working(worker: QueueWorker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.work(), name="worker")
        yield
        working.cancel()
