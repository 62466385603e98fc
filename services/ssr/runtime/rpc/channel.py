"""Channels to other services: over all addresses of a headless Service, kept alive, with large messages and TLS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial

from grpc import aio

from ssr.runtime.background import beside
from ssr.runtime.rpc.changes import changes
from ssr.runtime.rpc.renewed_channel import RenewedChannel
from ssr.runtime.rpc.tls import Pem, Tls, channel_credentials, read_pem

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

#: Options that servers and channels share: a dead peer is noticed within 30 s even when nothing is sent.
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

_OPTIONS = (
    *KEEPALIVE,
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
)


@asynccontextmanager
async def open_channel(address: str, tls: Tls | None = None) -> AsyncIterator[aio.Channel]:
    """A channel to `address` ("host:port", or any gRPC target); without `tls` in plaintext.

    With it, the server's certificate must name the address's host. Files that change are used for the calls from then
    on, over new connections; calls in flight end where they are.

    Raises: InvalidRequest naming the file of `tls` that cannot be used.
    """
    if tls is None:
        async with aio.insecure_channel(address, options=_OPTIONS) as channel:
            yield channel
        return

    def connect(pem: Pem) -> aio.Channel:
        return aio.secure_channel(address, channel_credentials(pem), options=_OPTIONS)

    read = partial(read_pem, tls)
    pem = await asyncio.to_thread(read)
    async with (
        RenewedChannel(connect(pem)) as renewed,
        beside(_renew(renewed, connect, read, pem), f"certificates for {address}"),
    ):
        yield renewed


async def _renew(
    channel: RenewedChannel, connect: Callable[[Pem], aio.Channel], read: Callable[[], Pem], pem: Pem
) -> None:
    async with asyncio.TaskGroup() as group, aclosing(changes(read, pem, "tls")) as renewals:
        async for renewed in renewals:
            group.create_task(channel.renew(connect(renewed)), name="replaced channel")
