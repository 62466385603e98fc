"""Our errors across a real gRPC connection on loopback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ssr.core import errors
from ssr.runtime.redis.failures import RedisAway, RedisRefused
from ssr.runtime.rpc.channel import open_channel
from ssr.runtime.rpc.errors import CODES, reason_of, remote_errors, to_status
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.v1 import reasoning_pb2, reasoning_pb2_grpc


class Raising(reasoning_pb2_grpc.ReasoningServiceServicer):
    """Raises what it is given; as a stream, behind one event."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise self._error

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield reasoning_pb2.Event(cursor="1-0")
        raise self._error


async def get(error: Exception) -> Any:
    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, Raising(error))  # type: ignore[abstract]
    servicer = Servicer("ssr.v1.ReasoningService", add)
    async with (
        running_server([servicer], host="127.0.0.1", port=0, grace_s=1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
        remote_errors("orchestrator"),
    ):
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        return await stub.Get(reasoning_pb2.GetRequest(), timeout=5)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest("paths", "must be within 1..16; got 17"),
        errors.ContextFull("no room"),
        errors.Unauthenticated("no key"),
        errors.PermissionDenied("not yours"),
        errors.NotFound("no job"),
        errors.Conflict("used"),
        errors.CapabilityMissing("no logprobs"),
        errors.StaleOwner("newer owner"),
        errors.Overloaded("full", 2.5),
        errors.Unavailable("gone", 0.25),
        errors.TimedOut("slow", 3.0),
    ],
)
async def test_an_error_arrives_as_what_it_was(error: errors.SsrError) -> None:
    with pytest.raises(type(error)) as caught:
        await get(error)
    assert str(error) in str(caught.value)
    if isinstance(error, errors.InvalidRequest):
        assert isinstance(caught.value, errors.InvalidRequest)
        assert caught.value.field == "paths"
    if isinstance(error, errors.Overloaded | errors.Unavailable):
        assert isinstance(caught.value, errors.Retryable)
        assert caught.value.delay_s == error.delay_s


def test_a_refusal_names_every_field_and_a_reason() -> None:
    status = to_status(errors.InvalidRequest("paths", "is 17", errors.Violation("top_p", "is 2")))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert any(detail.Unpack(info) for detail in status.details)
    assert any(detail.Unpack(bad) for detail in status.details)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "ssr")
    assert [(one.field, one.description) for one in bad.field_violations] == [("paths", "is 17"), ("top_p", "is 2")]
    assert status.message == "paths: is 17; top_p: is 2"


@pytest.mark.parametrize(("kind", "code"), CODES)
def test_every_error_has_a_reason(kind: type[errors.SsrError], code: Any) -> None:
    error = kind("field", "text") if issubclass(kind, errors.InvalidRequest) else kind("text")
    info = error_details_pb2.ErrorInfo()
    assert to_status(error).details[0].Unpack(info)
    assert info.reason == reason_of(kind)
    assert info.reason.replace("_", "").lower() == kind.__name__.lower()


@pytest.mark.parametrize("error", [RedisRefused("no right for user 'ssr' at 10.0.0.7"), RedisAway("10.0.0.7:6379")])
async def test_a_caller_learns_nothing_of_redis(error: errors.SsrError) -> None:
    status = to_status(error)
    assert "10.0.0.7" not in str(status)
    assert "10.0.0.7" in str(error)


async def test_a_long_message_still_arrives() -> None:
    """Statuses travel in headers, and those are limited."""
    with pytest.raises(errors.NotFound) as caught:
        await get(errors.NotFound("x" * 100_000))
    assert 1_000 <= len(str(caught.value)) < 1_100
    with pytest.raises(errors.NotFound):
        await get(errors.NotFound("ü" * 900))
    with pytest.raises(errors.InvalidRequest) as refused:
        await get(errors.InvalidRequest.of([errors.Violation(f"f{n}", "y" * 5_000) for n in range(50)]))
    assert refused.value.field == "f0"


def test_every_error_has_a_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SsrError)]
    mapped = {kind for kind, _ in CODES}
    assert {kind for kind in kinds if kind is not errors.SsrError} == mapped


async def test_an_unexpected_error_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(errors.BadReply, match="internal error") as caught:
        await get(KeyError("secret detail"))
    assert "secret detail" not in str(caught.value)
    assert "secret detail" in caplog.text


async def test_a_later_call_of_a_method_is_answered_as_the_first() -> None:
    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, Raising(errors.NotFound("gone")))  # type: ignore[abstract]
    async with (
        running_server([Servicer("ssr.v1.ReasoningService", add)], host="127.0.0.1", port=0, grace_s=1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        for _ in range(2):
            with pytest.raises(errors.NotFound, match="gone"):
                async with remote_errors("orchestrator"):
                    await stub.Get(reasoning_pb2.GetRequest(), timeout=5)


async def test_a_stream_ends_with_its_error() -> None:
    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, Raising(errors.NotFound("gone")))  # type: ignore[abstract]
    async with (
        running_server([Servicer("ssr.v1.ReasoningService", add)], host="127.0.0.1", port=0, grace_s=1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        stream = reasoning_pb2_grpc.ReasoningServiceStub(channel).Watch(reasoning_pb2.WatchRequest(), timeout=5)
        cursors = []
        with pytest.raises(errors.NotFound, match="gone"):
            async with remote_errors("orchestrator"):
                async for event in stream:
                    cursors.append(event.cursor)
        assert cursors == ["1-0"]


async def test_a_server_reports_its_health_and_a_taken_port() -> None:
    async with (
        running_server([], host="127.0.0.1", port=0, grace_s=1) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        reply = await health.Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined]
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(errors.Unavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            async with running_server([], host="127.0.0.1", port=port, grace_s=1):
                pass


async def test_nobody_there_is_unavailable() -> None:
    async with running_server([], host="127.0.0.1", port=0, grace_s=1) as port:
        pass
    async with open_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(errors.Unavailable, match="orchestrator"):
            async with remote_errors("orchestrator"):
                stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
                await stub.Get(reasoning_pb2.GetRequest(), timeout=5)


async def test_a_server_that_stops_before_it_reads_a_call_is_unavailable() -> None:
    """gRPC's core answers such calls with CANCELLED; the caller has not cancelled anything, and may go elsewhere."""

    class Stopping(reasoning_pb2_grpc.ReasoningServiceServicer):
        async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802
            await context.abort(StatusCode.CANCELLED, "CANCELLED")

    add = partial(reasoning_pb2_grpc.add_ReasoningServiceServicer_to_server, Stopping())  # type: ignore[abstract]
    async with (
        running_server([Servicer("ssr.v1.ReasoningService", add)], host="127.0.0.1", port=0, grace_s=1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(errors.Unavailable, match="orchestrator: the server stopped before it read the call"):
            async with remote_errors("orchestrator"):
                await reasoning_pb2_grpc.ReasoningServiceStub(channel).Get(reasoning_pb2.GetRequest(), timeout=5)
