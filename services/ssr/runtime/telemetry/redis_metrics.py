"""Calls to Redis that fail, and whether it can be reached."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter
from redis import exceptions

from ssr.runtime.redis.client import RedisClient
from ssr.runtime.telemetry.readings import Readings

#: Most special first.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AuthenticationError, "refused"),
    (exceptions.AuthorizationError, "refused"),
    (exceptions.NoPermissionError, "refused"),
    (exceptions.OutOfMemoryError, "memory"),
    (exceptions.TimeoutError, "timeout"),
    (exceptions.ConnectionError, "connection"),
    (exceptions.ResponseError, "reply"),
)


class RedisMetrics:
    """Counts the failed calls of the clients it watches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._failures = Counter(
            "ssr_redis_call_failures", "Calls to Redis that failed.", ("reason",), registry=registry
        )
        for reason in sorted({reason for _, reason in _REASONS}):  # a rate is seen from the first one on
            self._failures.labels(reason)
        self._ready: bool | None = None
        Readings("ssr_redis_ready", "Whether the last call to Redis went well.", (), self._readiness, registry)

    def watch(self, client: RedisClient) -> None:
        """Count the calls of this client from now on: all of them, scripts too, go through its `execute_command`."""
        execute = client.execute_command

        async def execute_command(*args: Any, **options: Any) -> Any:
            try:
                reply = await execute(*args, **options)
            except exceptions.NoScriptError:  # the script is sent then
                raise
            except (exceptions.RedisError, exceptions.RedisClusterException, OSError) as error:
                self._failed(error)
                raise
            self._ready = True
            return reply

        client.execute_command = execute_command

    def _failed(self, error: Exception) -> None:
        self._ready = False
        reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "connection")
        self._failures.labels(reason).inc()

    def _readiness(self) -> list[tuple[tuple[str, ...], float]]:
        return [] if self._ready is None else [((), float(self._ready))]
