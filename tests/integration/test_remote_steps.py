"""A service's stream of steps over real gRPC: broken, refused by an older version, left halfway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from grpc import aio
from hang_limit import LIMIT_S
from prometheus_client import CollectorRegistry

from ssr.core.stages import Written, unheard
from ssr.core.types import NO_STRATEGY, Options, PathContext
from ssr.engines.load import Pool
from ssr.orchestrator.metrics.stages import StageMetrics
from ssr.orchestrator.run.parking import Parking
from ssr.orchestrator.run.peer import Peer
from ssr.orchestrator.run.remote_steps import Streaming
from ssr.orchestrator.run.stages import RemoteDrafter, RemoteVerifier
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.telemetry.tracing import Tracing
from ssr.v1 import drafting_pb2, drafting_pb2_grpc, step_pb2, verification_pb2, verification_pb2_grpc

CONTEXT = PathContext("job", 0, "What is 2 + 2?", NO_STRATEGY, (), 1)
LAST = 4
#: What a servicer does in the middle of a stream, before its step of that number (from 0).
Fault = Callable[[Any, int], Awaitable[None]]


def step(index: int) -> step_pb2.Step:
    return step_pb2.Step(index=index, text=f"Step {index}.", tokens=3, ends_turn=index == LAST)


@dataclass
class Replica(drafting_pb2_grpc.DraftingServiceServicer, verification_pb2_grpc.VerificationServiceServicer):
    """Writes steps up to `LAST`, and notes behind how many it was asked; `old`: of a version that knows no streams."""

    old: bool = False
    fault: Fault | None = None
    streams: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def _steps(self, request: Any, context: Any, response: Any) -> None:
        if self.old:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        self.streams.append(len(request.context.steps))
        try:
            for index in range(len(request.context.steps), LAST + 1):
                if self.fault is not None:
                    await self.fault(context, index)
                await context.write(response(step=step(index)))
        except asyncio.CancelledError:
            self.left.set()
            raise

    def _step(self, request: Any) -> step_pb2.Step:
        self.calls.append(len(request.context.steps))
        return step(len(request.context.steps))

    async def Draft(self, request: Any, context: Any) -> drafting_pb2.DraftResponse:  # noqa: N802 - gRPC's name
        return drafting_pb2.DraftResponse(step=self._step(request))

    async def DraftSteps(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        await self._steps(request, context, drafting_pb2.DraftResponse)

    async def Write(self, request: Any, context: Any) -> verification_pb2.WriteResponse:  # noqa: N802
        return verification_pb2.WriteResponse(step=self._step(request))

    async def WriteSteps(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        await self._steps(request, context, verification_pb2.WriteResponse)

    async def Verify(self, request: Any, context: Any) -> verification_pb2.VerifyResponse:  # noqa: N802
        return verification_pb2.VerifyResponse(step=request.step, accepted=True)

    async def VerifyInParts(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        if self.old:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        await context.write(verification_pb2.VerifyResponse(step=request.step, accepted=False))

    async def Measure(self, request: Any, context: Any) -> step_pb2.MeasureResponse:  # noqa: N802
        return step_pb2.MeasureResponse()


@asynccontextmanager
async def serving(replica: Replica) -> AsyncIterator[str]:
    server = aio.server()
    drafting_pb2_grpc.add_DraftingServiceServicer_to_server(replica, server)
    verification_pb2_grpc.add_VerificationServiceServicer_to_server(replica, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def remote(
    kind: str, *replicas: Replica, clock: Clock | None = None
) -> AsyncIterator[RemoteDrafter | RemoteVerifier]:
    """The drafter or verifier with these replicas behind it, called in turn."""
    async with asyncio.timeout(LIMIT_S):
        addresses, servers = [], []
        for replica in replicas:
            servers.append(serving(replica))
            addresses.append(await servers[-1].__aenter__())
        try:
            peer = Peer(kind, Pool.DRAFT, LIMIT_S, StageMetrics(CollectorRegistry()), Tracing(), Parking())
            streaming = Streaming(clock) if clock else Streaming()
            async with open_channel(f"ipv4:{','.join(addresses)}") as channel:
                if kind == "drafter":
                    yield RemoteDrafter(drafting_pb2_grpc.DraftingServiceStub(channel), peer, streaming=streaming)
                else:
                    stub = verification_pb2_grpc.VerificationServiceStub(channel)
                    yield RemoteVerifier(stub, peer, streaming=streaming)
        finally:
            for server in servers:
                await server.__aexit__(None, None, None)


async def path_of(writer: RemoteDrafter | RemoteVerifier, **asked: int) -> list[Written]:
    async with aclosing(writer.stream(CONTEXT, Options(), **asked)) as steps:
        return [one async for one in steps]


def once_each(written: list[Written]) -> bool:
    return [one.step.text for one in written] == [f"Step {index}." for index in range(LAST + 1)]


def broken_at(index: int, code: grpc.StatusCode) -> Fault:
    """The call's first stream breaks there."""
    broken = False

    async def fault(context: Any, at: int) -> None:
        nonlocal broken
        if at == index and not broken:
            broken = True
            await context.abort(code, "gone")

    return fault


@pytest.mark.parametrize("kind", ["drafter", "verifier"])
@pytest.mark.parametrize("index", [0, 1, LAST])
async def test_a_stream_that_breaks_goes_on_behind_its_last_step(kind: str, index: int) -> None:
    replica = Replica(fault=broken_at(index, grpc.StatusCode.UNAVAILABLE))
    async with remote(kind, replica) as writer:
        assert once_each(await path_of(writer))
    assert replica.streams == [0, index]
    assert replica.calls == []


async def test_another_replica_takes_the_path_of_one_that_ends() -> None:
    """Its server stops in the middle of the stream, as a pod does that is killed."""
    at_third, staying = asyncio.Event(), Replica()

    async def hang(_: Any, index: int) -> None:
        if index == 2:
            at_third.set()
            await asyncio.Event().wait()

    ending = Replica(fault=hang)
    async with asyncio.timeout(LIMIT_S), serving(staying) as other:
        server = aio.server()
        verification_pb2_grpc.add_VerificationServiceServicer_to_server(ending, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        peer = Peer("verifier", Pool.TARGET, LIMIT_S, StageMetrics(CollectorRegistry()), Tracing(), Parking())
        async with open_channel(f"ipv4:127.0.0.1:{port},{other}") as channel:
            verifier = RemoteVerifier(verification_pb2_grpc.VerificationServiceStub(channel), peer)
            reading = asyncio.create_task(path_of(verifier))
            while not ending.streams:  # replicas are asked in turn once both are connected
                if reading.done():
                    assert once_each(reading.result())
                    reading = asyncio.create_task(path_of(verifier))
                await asyncio.sleep(0)
            await at_third.wait()
            before = list(staying.streams)
            await server.stop(0)
            assert once_each(await reading)
    assert ending.streams == [0]
    assert staying.streams == [*before, 2]


@pytest.mark.parametrize("kind", ["drafter", "verifier"])
async def test_an_older_replica_is_asked_step_by_step_and_for_a_stream_again_later(kind: str) -> None:
    replica, clock = Replica(old=True), Clock()
    async with remote(kind, replica, clock=clock) as writer:
        assert once_each(await path_of(writer))
        assert replica.calls == [0, 1, 2, 3, 4]
        replica.old = False  # it is updated, and nobody reports it
        assert once_each(await path_of(writer))
        assert (len(replica.calls), replica.streams) == (10, [])
        clock.now += 60
        assert once_each(await path_of(writer))
        assert (len(replica.calls), replica.streams) == (10, [0])


async def test_a_rollout_with_both_versions_behind_one_name_serves_a_path_whole() -> None:
    """The stream breaks, and whoever is asked behind it is of the older version."""
    new, old = Replica(fault=broken_at(2, grpc.StatusCode.UNAVAILABLE)), Replica(old=True)
    async with remote("drafter", new, old) as writer:
        for _ in range(4):
            assert once_each(await path_of(writer))
    assert old.calls


async def test_an_older_verifier_judges_in_one_piece() -> None:
    replica = Replica(old=True)
    async with remote("verifier", replica) as verifier:
        assert isinstance(verifier, RemoteVerifier)
        draft = (await path_of(verifier))[0].step

        async def rejected() -> None:
            raise AssertionError("an older verifier reports a rejection with its verdict only")

        verdict = await verifier.verify(CONTEXT, draft, Options(), rejected)
    assert verdict.accepted


async def test_a_verdict_comes_in_one_piece_where_nobody_waits_for_its_first_part() -> None:
    replica = Replica()
    async with remote("verifier", replica) as verifier:
        assert isinstance(verifier, RemoteVerifier)
        draft = (await path_of(verifier))[0].step

        async def rejected() -> None:
            """Something is under way."""

        in_parts = await verifier.verify(CONTEXT, draft, Options(), rejected)
        whole = await verifier.verify(CONTEXT, draft, Options(), unheard)
    assert (in_parts.accepted, whole.accepted) == (False, True), "this replica rejects in parts, and accepts else"


@pytest.mark.parametrize("kind", ["drafter", "verifier"])
async def test_leaving_a_stream_ends_it_at_the_service(kind: str) -> None:
    """After the second step the service is in the middle of the third."""

    async def hang(_: Any, index: int) -> None:
        if index == 2:
            await asyncio.Event().wait()

    replica = Replica(fault=hang)
    async with remote(kind, replica) as writer:
        async with aclosing(writer.stream(CONTEXT, Options())) as steps:
            assert [(await anext(steps)).step.index for _ in range(2)] == [0, 1]
        await replica.left.wait()
    assert replica.streams == [0]


async def test_a_stream_ends_with_the_steps_that_were_asked_for() -> None:
    replica = Replica()
    async with remote("drafter", replica) as writer:
        assert [one.step.index for one in await path_of(writer, most=3)] == [0, 1, 2]
    assert replica.streams == [0]


async def test_a_single_step_is_a_call() -> None:
    replica = Replica()
    async with remote("drafter", replica) as writer:
        assert [one.step.index for one in await path_of(writer, most=1)] == [0]
    assert (replica.streams, replica.calls) == ([], [0])
