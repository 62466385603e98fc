"""The connection to Redis, and its failures as ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
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
    """Turns a failure of Redis raised inside into Unavailable."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis: {error or type(error).__name__}") from error


class Scripts:
    """The Lua scripts of orchestrator/scripts, each one atomic transition of a job."""

    def __init__(self, client: RedisClient) -> None:
        self.create = _script(client, "create")
        self.claim = _script(client, "claim")
        self.append = _script(client, "append")
        self.finish = _script(client, "finish")
        self.cancel = _script(client, "cancel")
        self.release = _script(client, "release")


def _script(client: Redis, name: str) -> AsyncScript:
    text = (resources.files("ssr.orchestrator") / "scripts" / f"{name}.lua").read_text("utf-8")
    return client.register_script(text)
