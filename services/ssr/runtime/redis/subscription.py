"""Listening to a channel of Redis, cheaply: messages come by the thousand, and most are for other replicas."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError

from ssr.runtime.redis.client import RedisClient
from ssr.runtime.redis.failures import redis_errors
from ssr.runtime.redis.servers import CALL_S

#: Seconds without a message after which the server is asked whether it is there, and then has to answer.
_QUIET_S = 1.0
_CHUNK_BYTES = 65_536
#: No message of ours is longer, its frame included.
_LONGEST_BYTES = 1_024

#: A message as RESP2 frames it: kind, channel, payload; ours hold no line break. Replies to PING are passed over.
_MESSAGE = re.compile(rb"\*3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n([^\r]*)\r\n")


@asynccontextmanager
async def subscribed(redis: RedisClient, channel: str) -> AsyncIterator[AsyncIterator[list[bytes]]]:
    """The messages of `channel` from now on, in batches as they come: lines of at most 900 bytes.

    Raises: Unavailable or RedisRefused where it cannot subscribe; what redis-py raises when the connection is lost, at
    the latest 2 seconds after the server went silent.
    """
    async with _connection(redis) as connection:
        with redis_errors():
            async with asyncio.timeout(CALL_S):
                await connection.connect()
                await connection.send_command("SUBSCRIBE", channel)
                await connection.read_response()
        yield _batches(connection)


@asynccontextmanager
async def _connection(redis: RedisClient) -> AsyncIterator[Any]:
    """A connection of the client's own, to any node of a cluster: every node has all messages."""
    if isinstance(redis, RedisCluster):
        with redis_errors():
            async with asyncio.timeout(CALL_S):
                await redis.initialize()
        node = random.choice(redis.get_nodes())  # another one next time, if this one is gone
        connection: Any = node.acquire_connection()
        try:
            yield connection
        finally:
            await connection.disconnect(nowait=True)
            node.release(connection)
    else:
        with redis_errors():
            async with asyncio.timeout(CALL_S):
                connection = await redis.connection_pool.get_connection()
        try:
            yield connection
        finally:
            await connection.disconnect(nowait=True)
            await redis.connection_pool.release(connection)


async def _batches(connection: Any) -> AsyncIterator[list[bytes]]:
    # redis-py reads and parses each message by itself, which costs some twenty times as much as this.
    reader, received, asked = connection._reader, b"", False
    while True:
        try:
            async with asyncio.timeout(_QUIET_S):
                chunk = await reader.read(_CHUNK_BYTES)
        except TimeoutError:
            if asked:
                raise RedisConnectionError(f"no sign of life within {2 * _QUIET_S:g} s") from None
            connection._writer.write(b"PING\r\n")
            asked = True
            continue
        if not chunk:
            raise RedisConnectionError("the connection was closed")
        asked = False
        received += chunk
        batch, end = [], 0
        for message in _MESSAGE.finditer(received):
            batch.append(message[1])
            end = message.end()
        received = received[end:][-_LONGEST_BYTES:]
        if batch:
            yield batch
