"""Requests that nobody should send, and callers that behave badly."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from conftest import System
from gateway_server import ANSWER, KEY, asked, events, gateway, http, jobs, post
from hang_limit import LIMIT_S
from yarl import URL

from ssr.client import AsyncClient
from ssr.core.job import JobStatus

SETTINGS = {"linger_s": 0.2, "comment_s": 0.05, "chunk_s": 0.2}


@asynccontextmanager
async def connection(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare one."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(LIMIT_S):
            yield reader, writer
    finally:
        writer.close()


def head_of(length: int, *more: str) -> bytes:
    lines = ("POST /v1/chat/completions HTTP/1.1", "host: gateway", f"authorization: Bearer {KEY}", *more)
    kind = "content-type: application/json"
    return "\r\n".join([*lines, kind, f"content-length: {length}", "\r\n"]).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"model":' * 100_000,
        b'{"model":"ssr","messages":'
        + b'[{"role":"user","content":"1","annotations":'
        + b"[" * 150
        + b"]" * 150
        + b"}]}x",
        b'{"model":"ssr","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"seed":NaN}',
        b'{"seed":1e999}',
        b"\xff\xfe{\x00}\x00",
        b"",
        b"null",
        b'{"model":"ssr","messages":[{"role":"user","content":"1","annotations":[1' + b"0" * 400 + b"]}]}",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
async def test_what_is_no_json_that_can_be_read_is_a_400(session: ClientSession, body: bytes) -> None:
    kind = {"content-type": "Application/JSON ; charset=utf-8"}
    async with session.post("/v1/chat/completions", data=body, headers=kind) as reply:
        assert reply.status == 400
        error = (await reply.json())["error"]
    assert error["type"] == "invalid_request_error"
    async with session.get("/health") as reply:
        assert reply.status == 200


async def test_a_caller_that_goes_within_its_body_is_no_error_of_ours(
    address: str, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with connection(address) as (_, writer):
        writer.write(head_of(1000) + b'{"model":')
        await writer.drain()
    async with session.get("/health"):  # the gateway has seen the connection's end by then
        pass
    await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_reply_begins_in_one_piece(address: str) -> None:
    body = json.dumps(asked(stream=True)).encode()
    async with connection(address) as (reader, writer):
        writer.write(head_of(len(body)) + body)
        first = await reader.read(65_536)
    assert b"data: {" in first


async def test_a_caller_that_asks_whether_to_go_on_is_told_so(address: str) -> None:
    body = json.dumps(asked()).encode()
    async with connection(address) as (reader, writer):
        writer.write(head_of(len(body), "expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_requests_that_come_together_are_answered_in_turn(address: str) -> None:
    bodies = [json.dumps(asked(seed=seed)).encode() for seed in (1, 2)]
    async with connection(address) as (reader, writer):
        writer.write(b"".join(head_of(len(body)) + body for body in bodies))
        read = b""
        while read.count(b"HTTP/1.1 200") < 2 or read.count(b'"object":"chat.completion"') < 2:
            read += await reader.read(65_536)
    assert read.count(ANSWER.encode()) >= 2


async def test_one_token_is_a_partial_answer_in_a_stream_too(session: ClientSession) -> None:
    read = await events(session, asked(max_tokens=1, stream=True, stream_options={"include_usage": True}))
    reasons = [choice["finish_reason"] for chunk in read if isinstance(chunk, dict) for choice in chunk["choices"]]
    assert reasons[-1] == "length"
    assert read[-1] == "[DONE]"


async def test_stop_ends_the_content_of_a_stream(session: ClientSession) -> None:
    read = await events(session, asked(stop=["\\boxed"], stream=True))
    deltas = [choice["delta"] for chunk in read if isinstance(chunk, dict) for choice in chunk["choices"]]
    assert "\\boxed" not in "".join(delta.get("content") or "" for delta in deltas)


async def test_a_response_of_a_user_is_found_by_its_key_at_any_gateway(system: System) -> None:
    async with gateway(system.address) as first, gateway(system.address) as second:
        async with openai.AsyncOpenAI(base_url=f"{first}/v1", api_key=KEY, timeout=LIMIT_S) as client:
            made = await client.responses.create(model="ssr", input="What is 2 + 2?", background=True, user="ann")
        async with openai.AsyncOpenAI(base_url=f"{second}/v1", api_key=KEY, timeout=LIMIT_S) as client:
            found = await client.responses.retrieve(made.id)
            assert found.id == made.id
            types = [
                event.type async for event in await client.responses.retrieve(made.id, stream=True, starting_after=0)
            ]
            assert types[-1] == "response.completed"
            assert "response.created" not in types


async def test_a_reader_that_does_not_read_holds_nobody_up(
    address: str, session: ClientSession, ssr: AsyncClient
) -> None:
    body = json.dumps(asked(stream=True, seed=5)).encode()
    async with connection(address) as (_, writer):
        writer.write(head_of(len(body)) + body)
        await writer.drain()
        status, *_ = await post(session, asked(seed=6))
        assert status == 200
    assert {job.status for job in await jobs(ssr)} <= {JobStatus.ANSWERED, JobStatus.CANCELLED, JobStatus.RUNNING}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/v1/models", 200),
        ("GET", "/v1/batches/", 200),
        ("GET", "/ui", 200),
        ("GET", "/ui/api/info", 200),
        ("GET", "/ui/api/pools", 200),
        ("GET", "/ui/api/jobs", 200),
        ("PUT", "/v1/models", 405),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/models/%00", 404),
        ("GET", "/v1/models/%ff%fe", 404),
        ("GET", "/v1/responses/resp_%ff", 404),
        ("GET", "/v1/responses/resp_..%2f..%2fjobs", 404),
        ("GET", "/v1/responses/resp_x?stream=maybe", 400),
        ("GET", "/v1/responses/resp_x?starting_after=-1&stream=true", 400),
        ("POST", "/v1/responses/resp_x/cancel", 404),
        ("GET", "/v1/files/file-batch_x-output", 404),
        ("GET", "/v1/batches/batch_%00", 404),
        ("GET", "/v1/batches?limit=0", 400),
        ("GET", "/v1/files?after=file-%ff", 400),
        ("GET", "/ui/%2e%2e/settings.py", 404),
        ("GET", "/ui/api/jobs?limit=99999999999999999999", 400),
        ("GET", "/ui/api/jobs?status=bogus", 400),
        ("GET", "/ui/api/jobs/%ff/events", 404),
        ("GET", "/ui/api/jobs?page=%00", 400),
    ],
)
async def test_odd_addresses_are_errors_of_the_caller(
    session: ClientSession, method: str, path: str, status: int
) -> None:
    async with session.request(method, URL(path, encoded=True)) as reply:
        text = await reply.text()
        assert reply.status == status, text
        assert reply.headers["x-request-id"]
    if status >= 400 and method != "HEAD":
        assert set(json.loads(text)) == {"error"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no form at all"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n' % number for number in range(99))
            + b"--b--\r\n",
        ),
    ],
    ids=["no boundary", "no form", "a field without a name", "too many fields"],
)
async def test_a_form_that_is_none_is_a_400(session: ClientSession, kind: str, body: bytes) -> None:
    async with session.post("/v1/files", data=body, headers={"content-type": kind}) as reply:
        assert reply.status == 400
        assert set(await reply.json()) == {"error"}


async def test_measurements_are_told_apart_by_endpoint(system: System, unused_tcp_port_factory: Any) -> None:
    port = unused_tcp_port_factory()
    async with gateway(system.address, metrics_port=port) as address, http(address) as session:
        for path in ("/v1/files", "/v1/batches", "/v1/models", "/v1/none"):
            async with session.get(path):
                pass
        async with session.get(f"http://127.0.0.1:{port}/metrics") as reply:
            text = await reply.text()
    counted = set(re.findall(r'ssr_gateway_requests_total\{endpoint="([^"]+)",status="(\d+)"\}', text))
    assert counted == {("Files.list", "200"), ("BatchesApi.list", "200"), ("models", "200"), ("none", "404")}
