"""The lock of the one who decides, in Redis: where nobody has a Kubernetes Lease."""

from __future__ import annotations

from ssr.autoscaler.reports import TAG
from ssr.runtime.redis.client import RedisClient, Script


class RedisLock:
    """Implements `Lock`. It is lost when Redis loses it (a failover): two may then decide for a moment, the same."""

    def __init__(self, redis: RedisClient, replica: str, *, lease_s: float) -> None:
        self._replica, self._lease_ms = replica, round(lease_s * 1000)
        self._hold = Script(redis, "autoscaler/scripts/hold")
        self._release = Script(redis, "autoscaler/scripts/release")

    async def hold(self) -> bool:
        return bool(await self._hold([f"{TAG}leader"], [self._replica, self._lease_ms]))

    async def release(self) -> None:
        await self._release([f"{TAG}leader"], [self._replica])
