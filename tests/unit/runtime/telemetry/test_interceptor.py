"""Calls of a real server, seen with the status that their callers get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from ssr.core.errors import Overloaded
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.runtime.telemetry.grpc_metrics import GrpcMetrics
from ssr.runtime.telemetry.interceptor import MeasuringInterceptor
from ssr.runtime.telemetry.tracing import Tracing

NAME = "ssr.v1.TestService"


class Work:
    """Methods that end in every way there is."""

    def __init__(self) -> None:
        self.at_work = asyncio.Event()

    async def pass_on(self, request: bytes, context: Any) -> bytes:
        return request

    async def refuse(self, request: bytes, context: Any) -> bytes:
        raise Overloaded("no room")

    async def crash(self, request: bytes, context: Any) -> bytes:
        raise ZeroDivisionError

    async def hang(self, request: bytes, context: Any) -> bytes:
        self.at_work.set()
        await asyncio.Event().wait()
        return b""

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for byte in request:
            yield bytes([byte])
        if request == b"hang":
            await self.hang(request, context)
        if request == b"no":
            raise Overloaded("no more")

    def add_to(self, server: aio.Server) -> None:
        unary: Any = {name: grpc.unary_unary_rpc_method_handler(getattr(self, name)) for name in UNARY}
        handlers = {**unary, "count": grpc.unary_stream_rpc_method_handler(self.count)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


UNARY = ("pass_on", "refuse", "crash", "hang")


class Watched:
    def __init__(self, channel: aio.Channel, registry: CollectorRegistry, work: Work) -> None:
        self.channel, self.registry, self.work = channel, registry, work

    def call(self, method: str, request: bytes = b"x", timeout_s: float = 20.0) -> Any:
        return self.channel.unary_unary(f"/{NAME}/{method}")(request, timeout=timeout_s)  # type: ignore[arg-type]

    def value(self, metric: str, method: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(
            f"ssr_grpc_server_call{metric}", {"service": NAME, "method": method, **labels}
        )

    async def ended(self, method: str, code: str) -> None:
        """Until the server has seen a call end so, and has none left: a caller may know before it does."""
        async with asyncio.timeout(20):
            while self.value("s_total", method, code=code) != 1 or self.value("s_in_flight", method):
                await asyncio.sleep(0.005)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    registry, work = CollectorRegistry(), Work()
    interceptor = MeasuringInterceptor(GrpcMetrics(registry), Tracing())
    serving = running_server(
        [Servicer(NAME, work.add_to)], host="127.0.0.1", port=0, grace_s=1, interceptors=[interceptor]
    )
    async with serving as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Watched(channel, registry, work)


@pytest.mark.parametrize(
    ("method", "code"), [("refuse", StatusCode.RESOURCE_EXHAUSTED), ("crash", StatusCode.INTERNAL)]
)
async def test_a_failed_call_counts_with_its_status(watched: Watched, method: str, code: StatusCode) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await watched.call(method)
    assert caught.value.code() is code
    await watched.ended(method, code.name)


async def test_a_call_that_passes_is_counted_and_timed(watched: Watched) -> None:
    assert await watched.call("pass_on", b"hello") == b"hello"
    await watched.ended("pass_on", "OK")
    assert watched.value("_duration_seconds_count", "pass_on") == 1


async def test_who_goes_away_and_who_waited_too_long_are_reported_apart(watched: Watched) -> None:
    call = watched.call("hang")
    await watched.work.at_work.wait()
    assert watched.value("s_in_flight", "hang") == 1
    call.cancel()
    await watched.ended("hang", "CANCELLED")
    with pytest.raises(aio.AioRpcError) as caught:
        await watched.call("hang", timeout_s=0.2)
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    await watched.ended("hang", "DEADLINE_EXCEEDED")


async def test_a_stream_counts_when_it_has_ended(watched: Watched) -> None:
    stream: Any = watched.channel.unary_stream(f"/{NAME}/count")
    assert [part async for part in stream(b"abc", timeout=20)] == [b"a", b"b", b"c"]
    await watched.ended("count", "OK")
    with pytest.raises(aio.AioRpcError):
        async for _ in stream(b"no", timeout=20):
            pass
    await watched.ended("count", "RESOURCE_EXHAUSTED")
    left = stream(b"hang", timeout=20)
    await watched.work.at_work.wait()
    assert watched.value("s_in_flight", "count") == 1
    left.cancel()
    await watched.ended("count", "CANCELLED")


async def test_health_and_unknown_methods_are_not_counted(watched: Watched) -> None:
    await health_pb2_grpc.HealthStub(watched.channel).Check(health_pb2.HealthCheckRequest(), timeout=20)  # type: ignore[attr-defined]
    with pytest.raises(aio.AioRpcError) as caught:
        await watched.call("nothing")
    assert caught.value.code() is StatusCode.UNIMPLEMENTED
    assert not [s for family in watched.registry.collect() for s in family.samples if s.name.endswith("calls_total")]
