"""What is measured of one orchestrator: the jobs in hand, the queue as it sees it, its calls to Redis."""

from __future__ import annotations

import time

from ssr.core.job import Priority
from ssr.orchestrator.queue import JobQueue
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.orchestrator.worker import QueueWorker
from ssr.redis.client import RedisClient
from ssr.telemetry.redis_metrics import RedisMetrics
from ssr.telemetry.telemetry import Telemetry
from ssr.telemetry.worker_metrics import QueueMetrics, WorkerMetrics


def watch_replica(
    telemetry: Telemetry, redis: RedisClient, worker: QueueWorker, queue: JobQueue, settings: OrchestratorSettings
) -> None:
    """Measure from now on; the queue is looked at for every scrape."""
    registry = telemetry.registry
    RedisMetrics(registry).watch(redis)
    limits = {Priority.INTERACTIVE: settings.max_paths, Priority.BATCH: settings.batch_paths}
    WorkerMetrics(registry, lambda: worker.held, limits)
    waiting = QueueMetrics(registry, time.time)

    async def look() -> None:
        waiting.tell({})  # nothing is better than what was, if Redis is away
        waiting.tell(await queue.backlog())

    telemetry.refreshes.append(look)
