"""Asking a part whether it serves. Each probe imports its client when it is first used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from ssr.cli.stack.parts import Part, Probe

#: For one question, in seconds.
_LIMIT_S = 2.0


async def serves(part: Part) -> bool:
    """Whether the part serves now. Never raises."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            return await _PROBES[part.probe](part.address)
    except TimeoutError:
        return False


async def redis_answers(url: str) -> bool:
    """Whether the Redis at `url` answers.

    Raises: InvalidRequest for a malformed URL; RedisRefused where the user or password is wrong.
    """
    from ssr.core.errors import Unavailable
    from ssr.runtime.redis.client import open_redis
    from ssr.runtime.redis.failures import redis_errors

    async with open_redis(url) as client:
        try:
            with redis_errors():
                await client.hlen("ssr:probe")  # of a key, so that a cluster has to have a node for it
        except Unavailable:  # while it reads its file, too
            return False
    return True


async def _redis(address: str) -> bool:
    return await redis_answers(f"redis://{address}")


async def _http(address: str) -> bool:
    from aiohttp import ClientError, ClientSession

    try:
        async with ClientSession() as session, session.get(f"http://{address}/health") as response:
            return response.status == 200
    except (ClientError, OSError):
        return False


async def _grpc(address: str) -> bool:
    from grpc import aio
    from grpc_health.v1 import health_pb2

    from ssr.runtime.rpc.channel import open_channel

    async with open_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = await check(health_pb2.HealthCheckRequest())
        except aio.AioRpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


_PROBES: Mapping[Probe, Callable[[str], Awaitable[bool]]] = MappingProxyType(
    {Probe.REDIS: _redis, Probe.HTTP: _http, Probe.GRPC: _grpc}
)
