"""Batches in Redis: which jobs were made together. A batch's jobs are found by their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ssr.core.errors import Conflict, NotFound, echoed
from ssr.orchestrator.queue.keys import batch_key
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors

#: A batch is known for so long after it was last asked for, in seconds, and as long as its jobs can be read.
_KEPT_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """`total` jobs that were made together."""

    batch_id: str
    tenant: str
    created: datetime
    total: int


class BatchStore:
    """Reads and writes batches. Every method raises Unavailable while Redis cannot be reached."""

    def __init__(self, redis: RedisClient, *, retention_s: int) -> None:
        self._redis, self._kept_s = redis, _KEPT_S + 2 * retention_s
        self._create = Script(redis, "orchestrator/queue/scripts/job/batch")

    async def create(self, batch_id: str, fingerprint: str, tenant: str, total: int, now_ms: int) -> bool:
        """Store a batch, once; whether it is new. Raises: Conflict when the id belongs to another request."""
        (made,) = await self._create([batch_key(batch_id)], [fingerprint, tenant, now_ms, total, self._kept_s])
        if made == b"conflict":
            raise Conflict("idempotency_key: was used for another batch; choose a new one")
        return bool(made == b"created")

    async def forget(self, batch_id: str) -> None:
        """Take back a batch whose jobs did not come to be."""
        with redis_errors():
            await self._redis.delete(batch_key(batch_id))

    async def get(self, batch_id: str) -> StoredBatch:
        """Raises: NotFound."""
        with redis_errors():
            fields = await self._redis.hgetall(batch_key(batch_id))
            if not fields:
                raise no_batch(batch_id)
            await self._redis.expire(batch_key(batch_id), self._kept_s)
        created = datetime.fromtimestamp(int(fields[b"created"]) / 1000, UTC)
        return StoredBatch(batch_id, fields[b"tenant"].decode(), created, int(fields[b"total"]))


def no_batch(batch_id: str) -> NotFound:
    """The error for a batch that is not there, and just so for one that is not shown to the caller."""
    return NotFound(f"batch_id: there is no batch {echoed(batch_id)}, or it has expired")
