"""Thousands of calls at once, before the server has read any of them."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S

from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.rpc.server import running_server

CALLS = 3_000


def serve(pipe: Connection) -> None:
    """A server in a process of its own, which the pipe makes deaf for a while."""

    async def until_reported() -> None:
        async with running_server([], host="127.0.0.1", port=0, grace_s=1) as port:
            pipe.send(port)
            await asyncio.to_thread(pipe.recv)
            pipe.send("deaf")
            pipe.recv()  # on the loop: nothing is read from the calls that come meanwhile
            await asyncio.to_thread(pipe.recv)

    asyncio.run(until_reported())


@asynccontextmanager
async def deaf_server() -> AsyncIterator[tuple[aio.Channel, Connection]]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        port = await asyncio.to_thread(ours.recv)
        async with open_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            ours.send("be deaf")
            await asyncio.to_thread(ours.recv)
            yield channel, ours
        ours.send("end")
        await asyncio.to_thread(process.join)
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()
        ours.close()
        theirs.close()


async def test_no_call_of_a_burst_is_dropped() -> None:
    async with deaf_server() as (channel, pipe):
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        calls = [check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S) for _ in range(CALLS)]
        sent = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0)  # all calls are on their way
        pipe.send("listen")
        replies = await sent
    failed = [str(reply) for reply in replies if isinstance(reply, BaseException)]
    assert not failed, f"{len(failed)} of {CALLS}: {failed[0]}"
