"""How full Redis is, and whether it was emptied, as one orchestrator sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter

from ssr.runtime.telemetry.readings import Reading, Readings

#: The maxmemory-policy of a Redis that refuses writes when it is full, and never drops a key.
KEEPS = "noeviction"


@dataclass(frozen=True, slots=True)
class RedisMemory:
    """Of one server, in bytes; `limit` is its maxmemory, 0 where it has none."""

    used: int
    limit: int
    policy: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """From a reply to INFO memory."""
        return cls(
            int(info.get("used_memory", 0)), int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", KEEPS))
        )

    @property
    def evicts(self) -> bool:
        return self.policy != KEEPS

    @property
    def part(self) -> float:
        """The part of the limit that is used; 0 without a limit."""
        return self.used / self.limit if self.limit else 0.0


class MemoryMetrics:
    """Shows the last look at Redis' memory; nothing before the first."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seen: RedisMemory | None = None
        Readings("ssr_redis_memory_bytes", "Redis' memory.", ("kind",), self._bytes, registry)
        Readings("ssr_redis_evicts", "Whether Redis drops keys when full.", (), self._evicts, registry)
        self._emptied = Counter("ssr_redis_emptied", "Times that Redis was found emptied.", registry=registry)

    def emptied(self) -> None:
        """Redis has nothing any more of what it had."""
        self._emptied.inc()

    def _bytes(self) -> list[Reading]:
        seen = self.seen
        if seen is None:
            return []
        return [(("used",), seen.used), *([(("limit",), seen.limit)] if seen.limit else [])]

    def _evicts(self) -> list[Reading]:
        return [] if self.seen is None else [((), float(self.seen.evicts))]
