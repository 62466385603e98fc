"""The connection to Redis, and its failures as ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ssr.core.errors import InvalidRequest, Unavailable

#: redis-py types replies for every protocol and decoding at once; ours are RESP2 and bytes, which it cannot express.
RedisClient = Any

#: Longest that a blocking read waits on the server; the socket's timeout must be longer.
BLOCK_MS = 2_000
_SOCKET_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 1_024


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[RedisClient]:
    """A client with a pool of connections; calls that lose their connection are tried again a few times.

    Every script of ours may run twice without harm, so that such a retry is safe.
    Raises: InvalidRequest for a malformed URL. Redis itself need not be up.
    """
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=3)
    try:
        client = Redis.from_url(
            url,
            protocol=2,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            max_connections=_MAX_CONNECTIONS,
            retry=retry,
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
        )
    except ValueError as error:
        raise InvalidRequest("redis_url", f"{error}; expected redis://host:port/db") from error
    async with client:
        yield client


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns a failure of Redis raised inside into Unavailable.

    redis-py sends through `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes just when it is
    done: a cancellation that was asked for inside and did not arrive is raised here.
    """
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis: {error or type(error).__name__}") from error
    if task and task.cancelling() > cancellations:
        raise asyncio.CancelledError


class Script:
    """A Lua script of orchestrator/scripts ("job/append"): one atomic transition."""

    def __init__(self, client: RedisClient, name: str) -> None:
        text = (resources.files("ssr.orchestrator") / "scripts" / f"{name}.lua").read_text("utf-8")
        self._script: AsyncScript = client.register_script(text)

    async def __call__(self, keys: Sequence[str], args: Sequence[bytes | float | str]) -> Any:
        """Raises: what redis-py raises; use inside `redis_errors`."""
        return await self._script(keys=keys, args=args)
