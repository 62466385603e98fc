"""Channels to other services: load-balanced over a headless Service's addresses, kept alive, with large messages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc import aio

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

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


@asynccontextmanager
async def open_channel(address: str) -> AsyncIterator[aio.Channel]:
    """A plaintext channel to `address` ("host:port", or any gRPC target)."""
    options = (
        *KEEPALIVE,
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.enable_http_proxy", 0),
    )
    async with aio.insecure_channel(address, options=options) as channel:
        yield channel
