"""The connection to Redis: one server, a master found by its sentinels, or a cluster."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import resources
from typing import Any

from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from ssr.runtime.background import supervised
from ssr.runtime.redis.failures import redis_errors
from ssr.runtime.redis.servers import (
    CALL_S,
    ClusterClient,
    MasterConnections,
    Sentinels,
    ServerClient,
    ServerConnections,
    follow_master,
)
from ssr.runtime.redis.url import RedisUrl, Topology, read_redis_url

#: redis-py types replies for every protocol and decoding at once; ours are RESP2 and bytes, which it cannot express.
RedisClient = Any

#: For the reply to one command, in seconds. Redis answers within milliseconds; longer, and it hangs or is cut off.
_REPLY_S = 1.5
_CONNECT_S = 1.0
#: For the answer of one sentinel; the next one is asked then.
_SENTINEL_S = 0.5
_AGAIN_S = 0.05
#: Connections of one replica, to each server of a cluster.
_MAX_CONNECTIONS = 1_024


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[RedisClient]:
    """A client of the Redis at `url`, with connections as calls need them. Replies are bytes.

    A call ends within CALL_S (3 seconds). One whose connection is lost is tried once more, and may then have been done
    twice: every script of ours bears that. One that timed out is not tried again here. After a failover, calls go to
    the new master.

    Raises: InvalidRequest for a malformed URL. Redis itself need not be up.
    """
    where = read_redis_url(url)
    async with AsyncExitStack() as stack:
        match where.topology:
            case Topology.SINGLE:
                yield await stack.enter_async_context(_single(where))
            case Topology.SENTINEL:
                yield await stack.enter_async_context(_master(where))
            case Topology.CLUSTER:
                yield await stack.enter_async_context(_cluster(where))


@asynccontextmanager
async def _single(where: RedisUrl) -> AsyncIterator[RedisClient]:
    if where.path:
        pool = ServerConnections(
            connection_class=UnixDomainSocketConnection, path=where.path, **_options(where, sockets=False)
        )
    else:
        ((host, port),) = where.addresses
        pool = ServerConnections(
            connection_class=SSLConnection if where.tls else Connection, host=host, port=port, **_options(where)
        )
    async with ServerClient.from_pool(pool) as client:
        yield client


@asynccontextmanager
async def _master(where: RedisUrl) -> AsyncIterator[RedisClient]:
    sentinel_options = {
        **{name: value for name, value in where.options.items() if name.startswith("ssl")},
        **where.sentinel_options,
        "ssl": where.tls,
        "protocol": 2,
        "socket_timeout": _SENTINEL_S,
        "socket_connect_timeout": _SENTINEL_S,
        "retry": Retry(NoBackoff(), 0),
    }
    sentinels = Sentinels(where.addresses, sentinel_kwargs=sentinel_options)  # type: ignore[no-untyped-call]
    async with sentinels as sentinel:
        client = sentinel.master_for(where.master, ServerClient, MasterConnections, ssl=where.tls, **_options(where))
        async with client, supervised(follow_master(client.connection_pool), "sentinel"):
            yield client


@asynccontextmanager
async def _cluster(where: RedisUrl) -> AsyncIterator[RedisClient]:
    client = ClusterClient(
        # The nodes we were given stay those to ask: a name in DNS holds when all addresses have changed.
        startup_nodes=[ClusterNode(host, port) for host, port in where.addresses],
        dynamic_startup_nodes=False,
        # Slots without a node are a matter of the calls for them.
        require_full_coverage=False,
        ssl=where.tls,
        **_options(where),
    )
    try:
        yield client
    finally:
        await client.aclose()


def _options(where: RedisUrl, *, sockets: bool = True) -> dict[str, Any]:
    """The options of a connection.

    TCP's keep-alive ends idle connections whose other end is gone, so that no call needs a PING first.
    """
    keepalive = {"socket_keepalive": True} if sockets else {}
    return {
        **where.options,
        **keepalive,
        "protocol": 2,
        "socket_timeout": _REPLY_S,
        "socket_connect_timeout": _CONNECT_S,
        "max_connections": _MAX_CONNECTIONS,
        "retry": Retry(ConstantBackoff(_AGAIN_S), 1, (RedisConnectionError,)),
    }


async def pipelined(client: RedisClient, commands: Iterable[Sequence[str | bytes | float]]) -> list[Any]:
    """The replies to commands that are sent together, in their order; no transaction, and on any keys.

    It ends within CALL_S, as a call does. Raises: as `redis_errors`.
    """
    with redis_errors():
        async with asyncio.timeout(CALL_S), client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            replies: list[Any] = await pipe.execute()
            return replies


class Script:
    """A script by its path in this package, without ".lua": one atomic transition, on keys of one hash tag."""

    def __init__(self, client: RedisClient, path: str) -> None:
        self._client = client
        self._text = (resources.files("ssr") / f"{path}.lua").read_bytes()
        self._sha = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()  # Redis's name for it

    async def __call__(self, keys: Sequence[str], args: Sequence[bytes | float | str]) -> Any:
        """The script's reply. Raises: as `redis_errors`."""
        with redis_errors():
            try:
                return await self._client.evalsha(self._sha, len(keys), *keys, *args)
            except NoScriptError:
                # A server that is new to us. redis-py's own scripts would load it on all masters of a cluster, which
                # fails while any of them is away; EVAL reaches the one that has the keys, and loads it there.
                return await self._client.eval(self._text, len(keys), *keys, *args)
