"""Clients of redis-py whose calls end in time and that follow a failover."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ssr.core.errors import SsrError
from ssr.runtime.redis.failures import RedisRefused, cancellation_kept, redis_errors
from ssr.runtime.redis.together import Command, CommandsTogether
from ssr.runtime.redis.url import Address

_log = logging.getLogger(__name__)

#: For a whole call, in seconds: finding the master or the cluster's node, connecting, another try.
CALL_S = 3.0
#: How often the sentinels are asked who the master is.
_LOOK_S = 1.0


class ServerConnections(ConnectionPool):
    """A pool that can let go of what it does not use now."""

    async def drop_idle(self) -> None:
        """Close the idle connections; out of the pool first, so that nobody gets one that is being closed."""
        idle, self._available_connections = self._available_connections, []
        for connection in idle:
            await connection.disconnect(nowait=True)


class Sentinels(Sentinel):
    """Sentinels to ask at the same time from many calls: `Sentinel` then loses some of them from its list."""

    async def discover_master(self, service_name: str) -> Address:
        """The master's address. Raises: MasterNotFoundError."""
        for sentinel in tuple(self.sentinels):
            try:
                masters: Any = await sentinel.sentinel_masters()
            except (RedisConnectionError, RedisTimeoutError):
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                self.sentinels.sort(key=lambda one, found=sentinel: one is not found)  # type: ignore[misc]
                return state["ip"], state["port"]
        raise MasterNotFoundError(f"no sentinel names a live master {service_name!r}")


class MasterConnections(SentinelConnectionPool, ServerConnections):
    """Connections to the master that the sentinels name."""

    async def get_master_address(self) -> Address:
        address: Address = await self.sentinel_manager.discover_master(self.service_name)
        if address != self.master_address:
            self.master_address = address
            await self.drop_idle()
        return address

    async def ensure_connection(self, connection: Any) -> None:
        """Connected, and to the master of now: calls in flight bring connections to the one before it back."""
        if connection.is_connected and (connection.host, connection.port) != self.master_address:
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)


async def follow_master(pool: MasterConnections) -> None:
    """Learn of a new master soon, though the one before it still answers (it was cut off, or asleep)."""
    known = None
    while True:
        with suppress(SsrError), redis_errors():
            address = await pool.get_master_address()
            if known not in (None, address):
                _log.warning("Redis: the master is %s:%s now", *address)
            known = address
        await asyncio.sleep(_LOOK_S)


class ServerClient(Redis):
    """A client of one server at a time, whose calls end in time. Make it with `from_pool`, of a Pool.

    Calls that are made while others are under way are sent together.
    """

    connection_pool: ServerConnections

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._calls = CommandsTogether(self._one, self._several)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(CALL_S):
                with cancellation_kept():
                    return await self._calls.reply(Command(args, options))
        except TimeoutError:
            await self.connection_pool.drop_idle()
            raise _too_late() from None
        except (RedisTimeoutError, ReadOnlyError):
            # The other connections are to the same server, which is gone, asleep, or no master any more.
            await self.connection_pool.drop_idle()
            raise

    async def _one(self, command: Command) -> Any:
        return await super().execute_command(*command.args, **command.options)  # type: ignore[no-untyped-call]

    async def _several(self, commands: Sequence[Command]) -> Sequence[Any]:
        async with asyncio.timeout(CALL_S), self.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command.args, **command.options)
            return await pipe.execute(raise_on_error=False)


class _Connection(Connection):
    """A connection that may be closed while others use it: redis-py closes all of a node's when the layout changes."""

    async def disconnect(self, nowait: bool = False, *args: Any, **options: Any) -> None:
        """Close at once: during a wait, a call may connect anew, and that socket would be forgotten, not closed."""
        await super().disconnect(True, *args, **options)

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        if self._writer is None:
            raise RedisConnectionError("the connection was closed as the cluster's layout changed")
        await super()._send_packed_command(command)


class _SSLConnection(_Connection, SSLConnection):
    """The same with TLS."""


class ClusterClient(RedisCluster):
    """A client of a cluster, whose calls end in time, and whose failures to find the cluster are of its connection.

    Calls in flight go on with a node that a new layout lacks, on connections that redis-py then never closes: the
    client remembers its nodes and closes them itself.
    """

    def __init__(self, *, ssl: bool, **options: Any) -> None:
        super().__init__(ssl=ssl, **options)
        kind = _SSLConnection if ssl else _Connection
        self.connection_kwargs["connection_class"] = kind  # of the nodes to come
        for node in self.startup_nodes:
            node.connection_class = kind
        self._nodes: dict[int, ClusterNode] = {}

    async def initialize(
        self, additional_startup_nodes_info: list[Address] | None = None, last_failed_node_name: str | None = None
    ) -> ClusterClient:
        self._remember_nodes()
        try:
            await super().initialize(additional_startup_nodes_info, last_failed_node_name)
        except (RedisClusterException, IndexError) as error:  # an IndexError: not one slot is served
            if isinstance(error.__cause__, RedisError):
                raise error.__cause__ from None
            if isinstance(error.__cause__, RedisClusterException):
                raise RedisRefused("redis_url: names a Redis that is no cluster; use redis://") from error
            raise RedisConnectionError(f"the cluster has no layout ({error})") from error
        self._remember_nodes()
        for node in self._gone():
            await node.disconnect_free_connections()
        return self

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(CALL_S):
                with cancellation_kept():
                    return await super().execute_command(*args, **options)
        except TimeoutError:
            raise _too_late() from None
        finally:
            self._remember_nodes()

    async def aclose(self) -> None:
        """Close every connection; `RedisCluster.aclose` leaves them open while the cluster is away."""
        await super().aclose()
        for node in [*self._gone(), *self.nodes_manager.nodes_cache.values(), *self.startup_nodes]:
            with suppress(RedisError):
                await node.disconnect()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn

    def _remember_nodes(self) -> None:
        for node in self.nodes_manager.nodes_cache.values():
            self._nodes.setdefault(id(node), node)

    def _gone(self) -> list[ClusterNode]:
        """The nodes that are in the layout no more."""
        known = {id(node) for node in self.nodes_manager.nodes_cache.values()}
        return [node for key, node in self._nodes.items() if key not in known]


def _too_late() -> RedisTimeoutError:
    return RedisTimeoutError(f"no answer within {CALL_S:g} s")
