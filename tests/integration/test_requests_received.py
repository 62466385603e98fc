"""Requests that do not arrive as they should: cut, undecodable, without their end, by callers without a key."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode, aio
from grpc_reflection.v1alpha import reflection_pb2
from hang_limit import LIMIT_S
from raw_http2 import DATA, END_HEADERS, END_STREAM, HEADERS, frame, grpc_message, headers, raw_connection
from reasoning_server import JOB_ID, ScriptedReasoning

from ssr.runtime.rpc.api_keys import ApiKeyCheck, open_api_keys
from ssr.runtime.rpc.reflection import SERVICES
from ssr.runtime.rpc.server import Servicer, running_server
from ssr.v1 import reasoning_pb2

NO_MESSAGES = [b"\x0a\x02\xff\xfe\x12\x02\xff\xfe", b"\x0a\x50abc", b"\xff" * 20, b"\x0a"]
UNARY, STREAMS = ("Submit", "Get", "Cancel", "List"), ("Watch",)
GET = "/ssr.v1.ReasoningService/Get"


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[int]:
    servicers = [Servicer("ssr.v1.ReasoningService", ScriptedReasoning().add_to)]  # type: ignore[abstract]
    async with running_server(servicers, host="127.0.0.1", port=0, grace_s=0, **options) as port:
        yield port


async def code_of(channel: aio.Channel, method: str, body: bytes) -> tuple[StatusCode, str]:
    path = method if method.startswith("/") else f"/ssr.v1.ReasoningService/{method}"
    with pytest.raises(aio.AioRpcError) as caught:
        if method in STREAMS:
            async for _ in channel.unary_stream(path)(body, timeout=LIMIT_S):  # type: ignore[arg-type]
                pass
        else:
            await channel.unary_unary(path)(body, timeout=LIMIT_S)  # type: ignore[arg-type]
    return caught.value.code(), caught.value.details() or ""


@pytest.mark.parametrize("method", [*UNARY, *STREAMS, "/grpc.health.v1.Health/Check"])
@pytest.mark.parametrize("body", NO_MESSAGES)
async def test_bytes_that_are_no_message(method: str, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving() as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            code, details = await code_of(channel, method, body)
    assert (code, details) == (
        StatusCode.INVALID_ARGUMENT,
        f"request: its {len(body)} bytes are not the message that this method takes",
    )
    # What asyncio logs is of another test: the loop that gRPC's poller knew is closed.
    assert [one.getMessage() for one in caplog.records if one.exc_info and one.name != "asyncio"] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_reflection_speaks_both_versions_and_bears_garbage(service: str) -> None:
    method = f"/{service}/ServerReflectionInfo"
    async with serving() as port, aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def ask(*requests: bytes) -> list[reflection_pb2.ServerReflectionResponse]:
            call: Any = channel.stream_stream(
                method, response_deserializer=reflection_pb2.ServerReflectionResponse.FromString
            )
            return [reply async for reply in call(iter(requests), timeout=LIMIT_S)]

        listing = reflection_pb2.ServerReflectionRequest(list_services="*").SerializeToString()
        described = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service).SerializeToString()
        listed, file = await ask(listing, described)
        assert {"ssr.v1.ReasoningService", *SERVICES} <= {one.name for one in listed.list_services_response.service}
        assert file.file_descriptor_response.file_descriptor_proto
        with pytest.raises(aio.AioRpcError) as caught:
            await ask(listing, b"\xff\xff")
        assert caught.value.code() is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
async def test_who_calls_is_asked_before_what(tmp_path: Path, method: str) -> None:
    (tmp_path / "acme").write_text("acme-key-0123456789\n")
    async with (
        open_api_keys(tmp_path) as keys,
        serving(checks=[ApiKeyCheck(keys)]) as port,
        aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        code, _ = await code_of(channel, method, b"\xff\xff")
        assert code is StatusCode.UNAUTHENTICATED


async def test_half_a_message_without_a_deadline_is_answered() -> None:
    whole = grpc_message(reasoning_pb2.GetRequest(job_id=JOB_ID).SerializeToString())
    async with serving(receive_s=0.1) as port, raw_connection(port) as connection:
        await connection.send(frame(HEADERS, END_HEADERS, 1, headers(GET)), frame(DATA, 0, 1, whole[:7]))
        answered = await connection.ended()
        assert b"did not arrive as a whole within 0.1 s" in answered


@pytest.mark.parametrize("body", [b"", b"\0\0\0", grpc_message(b"\x0a\x05job-a")[:-2]])
async def test_a_message_that_is_missing_or_cut_is_answered(body: bytes) -> None:
    async with serving() as port, raw_connection(port) as connection:
        await connection.send(frame(HEADERS, END_HEADERS, 1, headers(GET)), frame(DATA, END_STREAM, 1, body))
        assert b"grpc-status" in await connection.ended()


async def test_a_whole_message_by_hand_is_served() -> None:
    whole = grpc_message(reasoning_pb2.GetRequest(job_id=JOB_ID).SerializeToString())
    async with serving() as port, raw_connection(port) as connection:
        await connection.send(frame(HEADERS, END_HEADERS, 1, headers(GET)), frame(DATA, END_STREAM, 1, whole))
        assert JOB_ID.encode() in await connection.ended()
