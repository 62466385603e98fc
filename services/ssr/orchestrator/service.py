"""The orchestrator: API, queue worker and their connections, put together."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from ssr.autoscaler.reporter import MISSED_REPORTS
from ssr.autoscaler.reports import ReportStore
from ssr.core.stages import Stages
from ssr.core.types import Options
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
from ssr.orchestrator.queue.job_store import Claim, JobStore
from ssr.orchestrator.queue.rates import RateLimits, Rates
from ssr.orchestrator.queue.wakeups import Wakeups, running_wakeups
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
from ssr.runtime.background import supervised
from ssr.runtime.calibration_file import load_calibration
from ssr.runtime.redis.client import RedisClient, open_redis
from ssr.runtime.rpc.api_keys import ApiKeyCheck, open_api_keys
from ssr.runtime.rpc.server import Servicer, running_service
from ssr.runtime.telemetry.telemetry import Telemetry, open_telemetry
from ssr.v1 import admin_pb2_grpc, files_pb2_grpc, reasoning_pb2_grpc

#: The calls that begin a trace, if their caller has none: one trace a job.
_BEGIN_JOBS = tuple(f"/ssr.v1.ReasoningService/{name}" for name in ("Submit", "Solve", "SolveStream"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class _Replica:
    """What the API and the worker of this replica share."""

    settings: OrchestratorSettings
    redis: RedisClient
    watch: JobRecords
    stages: RemoteStages
    wakeups: Wakeups
    followers: Followers
    store: JobStore
    queue: JobQueue
    rates: Rates
    workload: WorkloadEstimate
    control: QueueControl
    parking: Parking
    priors: Priors
    reports: ReportStore


@asynccontextmanager
async def running_orchestrator(settings: OrchestratorSettings) -> AsyncIterator[int]:
    """The orchestrator, serving and working until the block ends; yields its port."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        telemetry = await enter(open_telemetry("orchestrator", settings))
        redis = await enter(open_redis(settings.redis_url))
        looked_at = await enter(open_redis(settings.redis_url))
        await check_access(looked_at)
        replica = await enter(_connected(settings, telemetry, redis))
        worker = _worker(replica)
        measure_replica(telemetry, redis, worker, replica.queue, replica.control, replica.parking, settings)
        memory = MemoryMetrics(telemetry.registry)
        await enter(watching_memory(redis, memory))
        await enter(watching_mark(redis, memory.emptied))
        scaling = taking_part(settings, redis, replica.reports, replica.workload, replica.queue, telemetry)
        scalers, ending = await enter(scaling)
        checks = []
        if settings.api_keys is not None:
            checks.append(ApiKeyCheck(await enter(open_api_keys(settings.api_keys, settings.administrator))))
        await enter(supervised(worker.work(), "worker"))
        stages, priors = replica.stages, replica.priors
        if priors.depend_on_models:
            learning = learn_models(priors, stages.drafter.measure, stages.verifier.measure)
            await enter(supervised(learning, "models"))

        async def drain() -> None:
            ending.set()
            await worker.leave()

        # At the end health fails first, then the worker's jobs go on elsewhere while calls in flight have their grace.
        service = running_service(
            settings,
            telemetry,
            [*_servicers(replica), *scalers],
            begins=_BEGIN_JOBS,
            drain=drain,
            checks=checks,
            readiness=partial(redis_readiness, looked_at),
        )
        yield await enter(service)


@asynccontextmanager
async def _connected(
    settings: OrchestratorSettings, telemetry: Telemetry, redis: RedisClient
) -> AsyncIterator[_Replica]:
    watch, parking = JobRecords.of(telemetry), Parking()
    limits = QueueLimits(settings.max_unfinished, settings.tenant_jobs, settings.caller_jobs, settings.tenant_limits)
    rates = RateLimits(rates_of(settings.tenant_rates), rates_of(settings.caller_rates))
    async with (
        MathVerifyEquivalence(settings.equivalence, EquivalenceMetrics(telemetry.registry)) as equivalence,
        open_stages(settings, equivalence, watch, parking) as stages,
        running_wakeups(redis) as wakeups,
    ):
        followers = Followers(wakeups)
        yield _Replica(
            settings,
            redis,
            watch,
            stages,
            wakeups,
            followers,
            JobStore(redis, _now_ms, retention_s=settings.retention_s, followers=followers),
            JobQueue(redis, settings.replica, limits),
            Rates(redis, rates),
            WorkloadEstimate(settings.report_s),
            QueueControl(redis, _now_ms),
            parking,
            Priors(load_calibration(settings.calibration)),
            ReportStore(redis, ttl_s=MISSED_REPORTS * settings.report_s),
        )


def _worker(replica: _Replica) -> QueueWorker:
    settings, stages = replica.settings, replica.stages

    def stages_of(claim: Claim) -> Stages:
        return stages.solving_for(behalf_of(claim.tenant, claim.request.priority, settings.cache_salt_key))

    runner = Runner(
        replica.store,
        replica.wakeups,
        stages.solving,
        replica.workload,
        replica.watch,
        _now_ms,
        replica.parking,
        replica=settings.replica,
        max_takeovers=settings.max_takeovers,
        drain_s=settings.grace_s,
        stagger_s=settings.stagger_s,
        stages_of=stages_of,
        priors=replica.priors,
        rates=replica.rates,
    )
    capacity = Capacity(settings.max_paths, settings.batch_paths)
    attend = partial(replica.control.attend, settings.replica)
    return QueueWorker(replica.queue, runner, replica.wakeups, capacity, lease_s=settings.lease_s, attend=attend)


def _servicers(replica: _Replica) -> list[Servicer]:
    """The API: jobs, their administration, and files."""
    settings, store, redis = replica.settings, replica.store, replica.redis
    admin = AdminServicer(replica.control, store, replica.queue, _now_ms, retention_s=settings.retention_s)
    files = FileServicer(FileStore(redis, settings.files), settings.files, _now_ms)
    reasoning = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, _reasoning(replica))
    return [
        Servicer("ssr.v1.ReasoningService", reasoning),
        Servicer("ssr.v1.AdminService", partial(admin_pb2_grpc.add_AdminServiceServicer_to_server, admin)),
        Servicer("ssr.v1.FileService", partial(files_pb2_grpc.add_FileServiceServicer_to_server, files)),
    ]


def _reasoning(replica: _Replica) -> ReasoningServicer:
    settings, store, priors = replica.settings, replica.store, replica.priors
    asked = (replica.stages.selector, replica.stages.drafter.measure, replica.stages.verifier.measure)

    def defaults(domain: str = "") -> Options:
        return calibrated(settings.defaults, priors.entry(domain))

    admission = Admission(*asked, defaults, lambda domain: cascade_shape(priors.entry(domain)))
    intake = Intake(
        admission,
        store,
        replica.queue,
        replica.workload,
        replica.watch,
        _now_ms,
        retention_s=settings.retention_s,
        rates=replica.rates,
    )
    batch_store = BatchStore(replica.redis, retention_s=settings.retention_s)
    return ReasoningServicer(
        store,
        replica.wakeups,
        replica.followers,
        intake,
        Batches(admission, intake, store, batch_store, _now_ms),
        ServerInformation(*asked, defaults, max_list=MAX_LIST, max_unfinished=settings.max_unfinished),
        Visibility(apart=settings.subtenants_apart),
        replica.reports,
    )
