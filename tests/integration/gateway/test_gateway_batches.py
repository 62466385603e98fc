"""/v1/files and /v1/batches by the openai client."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Final

import openai
import pytest
from aiohttp import ClientSession, FormData
from conftest import Services, System
from gateway_server import HANG, KEY, gateway, http, openai_client
from hang_limit import LIMIT_S

from ssr.client import AsyncClient
from ssr.orchestrator.file_settings import FileSettings
from ssr.orchestrator.service import running_orchestrator

CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
SUMS = {f"sum-{n}": f"What is ({n} * 7) + 19?" for n in range(3)}


def line(custom_id: str, body: dict[str, Any], url: str = CHAT, **more: Any) -> bytes:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body, **more}).encode() + b"\n"


def chat(problem: str, **more: Any) -> dict[str, Any]:
    return {"model": "ssr-fast", "messages": [{"role": "user", "content": problem}], **more}


def sums() -> bytes:
    return b"".join(line(name, chat(problem)) for name, problem in SUMS.items())


async def upload(client: openai.AsyncOpenAI, content: bytes, name: str = "in.jsonl") -> str:
    return (await client.files.create(file=(name, content), purpose="batch")).id


async def ended(client: openai.AsyncOpenAI, batch_id: str) -> Any:
    async with asyncio.timeout(LIMIT_S):
        while (batch := await client.batches.retrieve(batch_id)).status in ("in_progress", "cancelling"):
            await asyncio.sleep(0.05)
    return batch


async def lines(client: openai.AsyncOpenAI, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in (await client.files.content(file_id)).content.splitlines()]


async def test_a_batch_of_chat_completions(client: openai.AsyncOpenAI, system: System) -> None:
    file_id = await upload(client, sums())
    made = await client.batches.create(
        input_file_id=file_id, endpoint=CHAT, completion_window="24h", metadata={"lesson": "7"}
    )
    assert (made.object, made.input_file_id, made.metadata) == ("batch", file_id, {"lesson": "7"})
    done = await ended(client, made.id)
    assert done.status == "completed"
    assert (done.request_counts.total, done.request_counts.completed, done.request_counts.failed) == (3, 3, 0)
    assert done.error_file_id is None
    output = await lines(client, done.output_file_id)
    assert [one["custom_id"] for one in output] == list(SUMS), "in the order of the input"
    for one in output:
        assert (one["response"]["status_code"], one["error"]) == (200, None)
        body = one["response"]["body"]
        assert f"\\boxed{{{body['ssr']['answer']}}}" in body["choices"][0]["message"]["content"]
        assert (body["model"], body["object"]) == ("ssr-fast", "chat.completion")
        assert body["usage"]["total_tokens"] > 0
    about = await client.files.retrieve(done.output_file_id)
    assert about.bytes == len((await client.files.content(done.output_file_id)).content)
    async with AsyncClient(system.address) as ssr:
        assert {job.priority for job in (await ssr.list()).jobs} == {"batch"}


async def test_a_batch_of_responses_and_the_synchronous_client(address: str) -> None:
    body = {"model": "ssr-baseline", "input": "What is (2 * 7) + 19?", "metadata": {"a": "b"}}

    def use() -> tuple[Any, list[str]]:
        with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, timeout=LIMIT_S) as client:
            file = client.files.create(file=("in.jsonl", line("only", body, RESPONSES)), purpose="batch")
            batch = client.batches.create(input_file_id=file.id, endpoint=RESPONSES, completion_window="24h")
            listed = [one.id for one in client.batches.list()]
            until = time.monotonic() + LIMIT_S
            while batch.status == "in_progress" and time.monotonic() < until:
                batch = client.batches.retrieve(batch.id)
            assert batch.output_file_id, batch.status
            (told,) = client.files.content(batch.output_file_id).text.splitlines()
            return json.loads(told)["response"]["body"], [*listed, batch.id]

    response, ids = await asyncio.to_thread(use)
    assert ids[0] == ids[1]
    assert (response["object"], response["status"], response["metadata"]) == ("response", "completed", {"a": "b"})
    assert f"\\boxed{{{response['ssr']['answer']}}}" in response["output"][-1]["content"][0]["text"]


@pytest.mark.parametrize(
    ("content", "code", "at", "param"),
    [
        (b"\n \n", "empty_file", None, None),
        (b"nonsense\n", "invalid_json", 1, None),
        (line("a", chat("What is 1 + 1?")) * 2, "duplicate_custom_id", 2, "custom_id"),
        (line("a", chat("What is 1 + 1?"), RESPONSES), "invalid_value", 1, "url"),
        (line("", chat("What is 1 + 1?")), "invalid_value", 1, "custom_id"),
        (b"\n" + line("a", chat("What is 1 + 1?", tools=[{}])), "unsupported_parameter", 2, "tools"),
        (line("a", chat("What is 1 + 1?", stream=True)), "unsupported_parameter", 1, "stream"),
        (line("a", chat("What is 1 + 1?", user="ann")), "unsupported_parameter", 1, "user"),
        (line("a", {**chat("What is 1 + 1?"), "model": "gpt"}), "model_not_found", 1, "model"),
        (line("a", chat("What is 1 + 1?"), more=1), "unknown_parameter", 1, "more"),
        (line("a", chat("x" * 20_001)), "context_length_exceeded", 1, "messages"),
        (b"{}\n" * 1001, "too_many_lines", None, None),
    ],
)
async def test_a_file_with_something_wrong_is_a_failed_batch_that_says_where(
    client: openai.AsyncOpenAI, system: System, content: bytes, code: str, at: int | None, param: str | None
) -> None:
    batch = await client.batches.create(
        input_file_id=await upload(client, content), endpoint=CHAT, completion_window="24h"
    )
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    (error,) = batch.errors.data
    assert (error.code, error.line, error.param) == (code, at, param)
    assert (await client.batches.retrieve(batch.id)).errors == batch.errors
    async with AsyncClient(system.address) as ssr:
        assert (await ssr.list()).jobs == (), "nothing was begun"


async def test_what_the_orchestrator_refuses_of_a_line_is_told_of_it_too(client: openai.AsyncOpenAI) -> None:
    wrong = line("a", chat("What is 1 + 1?")) + line("b", chat("What is 1 + 2?", ssr={"strategy_set": "no such set"}))
    batch = await client.batches.create(
        input_file_id=await upload(client, wrong), endpoint=CHAT, completion_window="24h"
    )
    assert batch.errors is not None
    assert batch.errors.data is not None
    (error,) = batch.errors.data
    assert (error.line, "strategy_set" in str(error.message)) == (2, True)


async def test_a_batch_that_is_cancelled_ends_and_says_what_failed(client: openai.AsyncOpenAI, system: System) -> None:
    system.draft.faults.set(HANG)
    made = await client.batches.create(
        input_file_id=await upload(client, sums()), endpoint=CHAT, completion_window="24h"
    )
    assert (await client.batches.cancel(made.id)).status in ("cancelling", "cancelled")
    done = await ended(client, made.id)
    assert (done.status, done.request_counts.failed, done.output_file_id) == ("cancelled", 3, None)
    assert done.cancelling_at is not None
    failed = await lines(client, done.error_file_id)
    assert [one["response"]["status_code"] for one in failed] == [409, 409, 409]
    assert failed[0]["response"]["body"]["error"]["code"] == "job_cancelled"
    assert (await client.batches.cancel(made.id)).status == "cancelled"


async def test_a_retry_is_the_batch_that_is_there_and_a_second_one_is_not(address: str, system: System) -> None:
    async with http(address) as session, gateway(system.address, join_s=0.0) as later, http(later) as later_session:
        form = FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", sums(), filename="in.jsonl")
        async with session.post("/v1/files", data=form) as reply:
            file_id = (await reply.json())["id"]
        body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}

        async def make(by: ClientSession, **headers: str) -> str:
            async with by.post("/v1/batches", json=body, headers=headers) as reply:
                return str((await reply.json())["id"])

        first = await make(session)
        assert await make(session) == first
        assert await make(later_session, **{"x-stainless-retry-count": "1"}) == first
        assert await make(later_session) != first
        named = await make(later_session, **{"idempotency-key": "monday"})
        assert await make(later_session, **{"idempotency-key": "monday"}) == named
    async with AsyncClient(system.address) as ssr:
        assert len((await ssr.list(100)).jobs) == 3 * 3


async def test_files_are_listed_read_and_deleted(client: openai.AsyncOpenAI) -> None:
    first, second = await upload(client, b"a\n", "a.jsonl"), await upload(client, b"b\n", "b.jsonl")
    assert await upload(client, b"a\n", "a.jsonl") == first, "the same is the same"
    listed = [file async for file in client.files.list(limit=1)]
    assert {file.id for file in listed} == {first, second}
    about = await client.files.retrieve(first)
    assert (about.filename, about.bytes, about.purpose, about.status) == ("a.jsonl", 2, "batch", "processed")
    assert (await client.files.content(first)).content == b"a\n"
    brief = await client.files.create(
        file=("c", b"c"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert brief.expires_at == brief.created_at + 3600
    assert (await client.files.delete(first)).deleted
    for asking in (client.files.retrieve(first), client.files.content(first), client.files.delete("file-none")):
        with pytest.raises(openai.NotFoundError):
            await asking
    made = await client.batches.create(input_file_id=second, endpoint=CHAT, completion_window="24h")
    for asking in (client.files.retrieve(made.id), client.files.content(f"file-{made.id}-output")):
        with pytest.raises(openai.NotFoundError):
            await asking
    with pytest.raises(openai.NotFoundError, match="No such File"):
        await client.batches.create(input_file_id=first, endpoint=CHAT, completion_window="24h")
    for unknown in ("batch_none", second):
        with pytest.raises(openai.NotFoundError):
            await client.batches.retrieve(unknown)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"purpose": "batch"}, 400, "file"),
        ({"purpose": "fine-tune", "file": b"x"}, 400, "purpose"),
        ({"file": b"x"}, 400, "purpose"),
        ({"purpose": "batch", "file": b"x", "more": "y"}, 400, "more"),
        ({"purpose": "batch", "file": b"x", "expires_after[anchor]": "now"}, 400, "expires_after"),
        ({"purpose": "batch", "file": b"x" * 2000}, 413, None),
        ({"purpose": "batch", "file": b"x" * 90_000}, 413, None),
    ],
)
async def test_uploads_that_are_refused(system: System, fields: dict[str, Any], status: int, param: str | None) -> None:
    form = FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value, filename="in.jsonl" if isinstance(value, bytes) else None)
    async with (
        gateway(system.address, max_file_bytes=1024) as address,
        http(address) as session,
        session.post("/v1/files", data=form) as reply,
    ):
        body = await reply.json()
    assert (reply.status, body["error"]["param"]) == (status, param)


async def test_a_page_of_another_origin_cannot_upload(address: str) -> None:
    form = FormData()
    form.add_field("file", b"x", filename="x")
    async with ClientSession(address) as session, session.post("/v1/files", data=form) as reply:
        assert reply.status == 401


async def test_a_tenant_whose_files_are_full_is_told_so(services: Services) -> None:
    small = FileSettings(max_bytes=100, tenant_bytes=100, total_bytes=1000)
    settings = services.orchestrator.model_copy(update={"files": small})
    async with (
        running_orchestrator(settings) as port,
        gateway(f"127.0.0.1:{port}") as address,
        openai_client(address, max_retries=0) as client,
    ):
        await upload(client, b"x" * 80)
        with pytest.raises(openai.RateLimitError, match="delete some"):
            await upload(client, b"y" * 80)
        with pytest.raises(openai.BadRequestError, match="at most 100 bytes"):
            await upload(client, b"y" * 101)
