"""What is measured of one orchestrator: the jobs in hand, the queue as it sees it, its calls to Redis."""

from __future__ import annotations

import time

from ssr.core.job import Priority
from ssr.orchestrator.metrics.workers import ParkingMetrics, QueueMetrics, WorkerMetrics
from ssr.orchestrator.queue.control import QueueControl
from ssr.orchestrator.queue.job_queue import JobQueue
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.worker import QueueWorker
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.redis.client import RedisClient
from ssr.runtime.telemetry.redis_metrics import RedisMetrics
from ssr.runtime.telemetry.telemetry import Telemetry


def measure_replica(
    telemetry: Telemetry,
    redis: RedisClient,
    worker: QueueWorker,
    queue: JobQueue,
    control: QueueControl,
    parking: Parking,
    settings: OrchestratorSettings,
) -> None:
    """Measure from now on; the queue is looked at for every scrape."""
    registry = telemetry.registry
    RedisMetrics(registry).watch(redis)
    limits = {Priority.INTERACTIVE: settings.max_paths, Priority.BATCH: settings.batch_paths}
    WorkerMetrics(registry, lambda: worker.held, limits)
    ParkingMetrics(registry, lambda: parking.calls)
    waiting = QueueMetrics(registry, time.time)

    async def look() -> None:
        waiting.report({}, None)  # nothing is better than what was, if Redis is away
        paused_ms = (await control.state()).paused_ms
        waiting.report(await queue.backlog(), paused_ms or 0)

    telemetry.refreshes.append(look)
