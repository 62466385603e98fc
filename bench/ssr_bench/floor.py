"""The floor under a step's cost: bare gRPC, HTTP and Redis calls of the size that SSR makes, on the same machine."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, TCPConnector
from redis.asyncio import Redis

from ssr.orchestrator.queue.keys import JobKeys
from ssr.runtime.redis.client import Script
from ssr.runtime.rpc.channel import open_channel
from ssr_bench.echo import METHOD, SERVICE
from ssr_bench.process_tree import read_usage
from ssr_bench.statistics import Summary, share

#: Bytes of a call: a context of a few steps.
PAYLOAD_BYTES = 2048
#: Bytes of a committed step with its costs.
_STEP_BYTES = 400

#: One call.
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class FloorCall:
    """A bare call with `in_flight` of them at a time.

    `latency_ms` is what one caller waits, `elapsed_ms` the time divided by the calls, `cpu_ms` the CPU time of both
    ends a call.
    """

    name: str
    in_flight: int
    latency_ms: Summary
    elapsed_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class CostFloor:
    """The calls a step is made of, alone and with many in flight."""

    grpc: tuple[FloorCall, FloorCall]
    http: tuple[FloorCall, FloorCall]
    append: tuple[FloorCall, FloorCall]

    def calls(self) -> tuple[FloorCall, ...]:
        """All of them, kind by kind."""
        return (*self.grpc, *self.http, *self.append)


@dataclass(frozen=True, slots=True)
class Callee:
    """A bare call's other end: the process that serves it, and how it is called."""

    name: str
    pid: int
    call: Call


async def measure_floor(
    echo_pid: int, grpc_address: str, http_address: str, redis_pid: int, redis_address: str, seconds: float, many: int
) -> CostFloor:
    """Every kind of call for `seconds`, alone and `many` at a time."""
    async with AsyncExitStack() as stack:
        grpc = await stack.enter_async_context(_grpc_call(grpc_address))
        http = await stack.enter_async_context(_http_call(http_address, many))
        append = await stack.enter_async_context(_append_call(redis_address))

        async def both(callee: Callee) -> tuple[FloorCall, FloorCall]:
            return await timed(callee, 1, seconds), await timed(callee, many, seconds)

        return CostFloor(
            await both(Callee(f"gRPC, {PAYLOAD_BYTES} B", echo_pid, grpc)),
            await both(Callee(f"HTTP POST, {PAYLOAD_BYTES} B", echo_pid, http)),
            await both(Callee("Redis append", redis_pid, append)),
        )


async def timed(callee: Callee, in_flight: int, seconds: float) -> FloorCall:
    """Call for `seconds`, `in_flight` at a time, each at least once, after a first round that is not counted."""
    latencies: list[float] = []
    await asyncio.gather(*(callee.call() for _ in range(in_flight)))

    async def caller(end: float) -> None:
        while True:
            called = time.perf_counter()
            await callee.call()
            latencies.append(time.perf_counter() - called)
            if time.perf_counter() >= end:
                return

    cpu_before, began = _cpu_s(callee.pid), time.perf_counter()
    await asyncio.gather(*(caller(began + seconds) for _ in range(in_flight)))
    elapsed_s, cpu_s = time.perf_counter() - began, _cpu_s(callee.pid) - cpu_before
    count = len(latencies)
    summary = Summary.of([latency * 1000 for latency in latencies])
    return FloorCall(callee.name, in_flight, summary, share(elapsed_s, count) * 1000, share(cpu_s, count) * 1000)


def floor_of_step(floor: CostFloor, rewrites: float, *, many: bool, field: Callable[[FloorCall], float]) -> float:
    """The floor of one step in `field`'s unit: a draft and a verification, each a gRPC call; an HTTP call to draft, one
    to score and `rewrites` (0..1) to rewrite; an append."""
    place = 1 if many else 0
    calls: Mapping[FloorCall, float] = {floor.grpc[place]: 2, floor.http[place]: 2 + rewrites, floor.append[place]: 1}
    return sum(field(call) * count for call, count in calls.items())


def _cpu_s(pid: int) -> float:
    """Of this process and the other end."""
    return time.process_time() + read_usage({"callee": pid})["callee"].cpu_s


@asynccontextmanager
async def _grpc_call(address: str) -> AsyncIterator[Call]:
    payload = bytes(PAYLOAD_BYTES)
    async with open_channel(address) as channel:
        await channel.channel_ready()
        method: Any = channel.unary_unary(f"/{SERVICE}/{METHOD}")
        yield lambda: method(payload)


@asynccontextmanager
async def _http_call(address: str, connections: int) -> AsyncIterator[Call]:
    payload = b'"' + b"x" * (PAYLOAD_BYTES - 2) + b'"'
    async with ClientSession(connector=TCPConnector(limit=connections)) as session:

        async def post() -> bytes:
            async with session.post(f"http://{address}/", data=payload) as response:
                return await response.read()

        yield post


@asynccontextmanager
async def _append_call(address: str) -> AsyncIterator[Call]:
    keys, epoch, paths = JobKeys("bench-floor"), 1, itertools.count()
    async with Redis.from_url(f"redis://{address}", protocol=2) as redis:
        append = Script(redis, "orchestrator/queue/scripts/job/append")
        await redis.hset(keys.meta, mapping={"epoch": epoch, "status": "running"})
        try:
            # The first step of a path of its own each time: it follows whatever else is in flight.
            yield lambda: append(
                keys.both, [epoch, "bench-floor", keys.job_id, bytes(_STEP_BYTES), "step", next(paths), 0]
            )
        finally:
            await redis.delete(*keys.both)
