"""The stack that is measured: every part in a process of its own, on simulated engines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from grpc import aio

from ssr.cli.stack import Preset, Stack, running_stack
from ssr.runtime.rpc.channel import open_channel
from ssr.v1 import reasoning_pb2_grpc

#: Engines that take no time.
NO_LATENCY: Mapping[str, str] = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "0"}
#: For a channel to be ready, in seconds.
_READY_S = 30.0


@asynccontextmanager
async def simulated_stack(
    settings: Mapping[str, str],
    *,
    on_event: Callable[[str], None] = lambda _: None,
    environment: Mapping[str, str] = os.environ,
) -> AsyncIterator[Stack]:
    """A stack of preset `simulated` whose engines take no time, with `settings` (variables) over the defaults.

    Raises: as `running_stack`.
    """
    parts_environment = {**environment, **NO_LATENCY, **settings}
    async with running_stack(Preset.SIMULATED, environment=parts_environment, on_event=on_event) as stack:
        yield stack


@asynccontextmanager
async def reasoning_stub(address: str) -> AsyncIterator[reasoning_pb2_grpc.ReasoningServiceAsyncStub]:
    """The public API's bare stub, connected: a client that costs as little as it can and never tries again."""
    async with open_channel(address) as channel:
        await _ready(channel)
        yield reasoning_pb2_grpc.ReasoningServiceStub(channel)


async def _ready(channel: aio.Channel) -> None:
    async with asyncio.timeout(_READY_S):
        await channel.channel_ready()
