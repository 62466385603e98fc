"""/v1/responses by the openai client: whole, streamed, in the background, asked for again, cancelled, deleted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from conftest import System
from gateway_server import ANSWER, HANG, KEY, PROBLEM
from hang_limit import LIMIT_S
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ssr.client import AsyncClient
from ssr.core.job import JobStatus

#: In the order in which their first ones come.
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.completed",
]

#: Of the gateway: short pauses.
SETTINGS = {"linger_s": 0.2, "comment_s": 0.05}


async def test_a_response_is_the_answer_with_its_reasoning(client: openai.AsyncOpenAI, ssr: AsyncClient) -> None:
    response = await client.responses.create(
        model="ssr",
        instructions="Be exact.",
        input=PROBLEM,
        max_output_tokens=5000,
        reasoning={"effort": "low", "summary": "auto"},
        metadata={"lesson": "7"},
    )
    assert response.status == "completed"
    assert f"\\boxed{{{ANSWER}}}" in response.output_text
    reasoning, message = response.output
    assert message.type == "message"
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert 0 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens
    assert (response.metadata, response.max_output_tokens) == ({"lesson": "7"}, 5000)
    assert response.reasoning is not None
    assert response.reasoning.effort == "low"
    (job,) = (await ssr.list()).jobs
    assert job.problem == f"Be exact.\n\n{PROBLEM}"
    assert response.id.removeprefix("resp_") == job.job_id.removeprefix("job-")
    assert job.created is not None
    assert response.created_at == int(job.created.timestamp())
    again = await client.responses.retrieve(response.id)
    assert again == response, "it is the same whenever it is asked for"


async def test_a_stream_has_all_events_in_their_order(client: openai.AsyncOpenAI) -> None:
    told = []
    async with client.responses.stream(model="ssr", input=[{"role": "user", "content": PROBLEM}]) as stream:
        async for event in stream:
            told.append(event)
        response = await stream.get_final_response()
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert list(dict.fromkeys(event.type for event in told)) == ORDER
    assert ANSWER in response.output_text
    steps = "".join(event.delta for event in told if event.type == "response.reasoning_summary_text.delta")
    assert response.output[0].type == "reasoning"
    assert response.output[0].summary[0].text == steps
    stored = await client.responses.retrieve(response.id)
    assert stored.output[0].to_dict() == response.output[0].to_dict()
    assert stored.output_text == response.output_text


async def test_the_synchronous_client_does_all_of_it(address: str) -> None:
    def use() -> list[str]:
        with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, timeout=LIMIT_S) as client:
            whole = client.responses.create(model="ssr", input=PROBLEM)
            with client.responses.stream(model="ssr", input=f"{PROBLEM} Please.") as stream:
                streamed = stream.get_final_response()
            waiting = client.responses.create(model="ssr", input=PROBLEM, background=True, metadata={"a": "b"})
            for _ in client.responses.retrieve(waiting.id, stream=True):
                pass
            stored = client.responses.retrieve(waiting.id)
            client.responses.delete(waiting.id)
            return [whole.output_text, streamed.output_text, stored.output_text]

    texts = await asyncio.to_thread(use)
    assert [ANSWER in text for text in texts] == [True, True, True]


async def test_langchain_uses_it(address: str) -> None:
    model = ChatOpenAI(
        model="ssr", base_url=f"{address}/v1", api_key=SecretStr(KEY), timeout=LIMIT_S, use_responses_api=True
    )
    assert ANSWER in (await model.ainvoke(PROBLEM)).text
    parts = [part.text async for part in model.astream(PROBLEM)]
    assert ANSWER in "".join(parts)


async def test_in_the_background_it_goes_on_and_its_events_are_told_behind_any_number(
    client: openai.AsyncOpenAI,
) -> None:
    begun = await client.responses.create(model="ssr", input=PROBLEM, background=True)
    assert (begun.status in ("queued", "in_progress"), begun.background, begun.output) == (True, True, [])
    seen = [event async for event in await client.responses.retrieve(begun.id, stream=True)]
    assert [event.type for event in seen[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert seen[-1].type == "response.completed"
    for after in (0, 4, len(seen) - 2, len(seen) - 1):
        resumed = await client.responses.retrieve(begun.id, stream=True, starting_after=after)
        assert [event async for event in resumed] == seen[after + 1 :]
    done = await client.responses.retrieve(begun.id)
    assert (done.status, ANSWER in done.output_text) == ("completed", True)


async def test_leaving_the_stream_of_a_background_response_leaves_it_running(
    client: openai.AsyncOpenAI, ssr: AsyncClient, system: System
) -> None:
    system.draft.faults.set(HANG)
    stream = await client.responses.create(model="ssr", input=PROBLEM, background=True, stream=True)
    first = await anext(aiter(stream))
    await stream.close()
    assert first.type == "response.created"
    (job,) = (await ssr.list()).jobs
    assert job.status is not JobStatus.CANCELLED
    stopped = await client.responses.cancel(first.response.id)
    assert stopped.status == "cancelled"
    (job,) = (await ssr.list()).jobs
    assert job.status is JobStatus.CANCELLED
    assert (await client.responses.cancel(first.response.id)).status == "cancelled", "once more changes nothing"


async def test_closing_a_stream_that_is_not_in_the_background_cancels_its_job(
    client: openai.AsyncOpenAI, ssr: AsyncClient, system: System
) -> None:
    system.draft.faults.set(HANG)
    stream = await client.responses.create(model="ssr", input=PROBLEM, stream=True)
    await anext(aiter(stream))
    await stream.close()
    (job,) = (await ssr.list()).jobs
    async for _ in ssr.watch(job.job_id, timeout_s=LIMIT_S):
        pass
    assert (await ssr.get(job.job_id)).status is JobStatus.CANCELLED


async def test_what_was_not_stored_is_not_found(client: openai.AsyncOpenAI, ssr: AsyncClient) -> None:
    response = await client.responses.create(model="ssr-baseline", input=PROBLEM, store=False)
    job = await ssr.submit(PROBLEM, mode="baseline")
    other = f"resp_{job.job_id.removeprefix('job-')}"
    for identifier in (response.id, other, "resp_none", "resp_ä", "nothing"):
        with pytest.raises(openai.NotFoundError, match="not found"):
            await client.responses.retrieve(identifier)
    kept = await client.responses.create(model="ssr-baseline", input=PROBLEM)
    with pytest.raises(openai.BadRequestError, match="background"):
        await client.responses.cancel(kept.id)
    await client.responses.delete(kept.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete(kept.id)


async def test_a_limit_of_tokens_makes_it_incomplete_and_small_talk_has_no_reasoning(
    client: openai.AsyncOpenAI,
) -> None:
    limited = await client.responses.create(model="ssr", input=PROBLEM, max_output_tokens=60)
    assert limited.status == "incomplete"
    assert limited.incomplete_details is not None
    assert limited.incomplete_details.reason == "max_output_tokens"
    small = await client.responses.create(model="ssr", input="Hello!")
    assert [item.type for item in small.output] == ["message"]
    assert (await client.responses.retrieve(small.id)).output == small.output


async def test_a_failure_is_told_as_one(client: openai.AsyncOpenAI, session: ClientSession, system: System) -> None:
    broken = {"model": "ssr", "input": PROBLEM, "ssr": {"mode": "baseline", "deadline_s": 0.01}, "background": True}
    system.target.faults.set(HANG)
    async with session.post("/v1/responses", json=broken) as reply:
        begun = await reply.json()
    async with session.get(f"/v1/responses/{begun['id']}?stream=true") as reply:
        told = [line[6:] for line in (await reply.text()).splitlines() if line.startswith("data: ")]
    last = json.loads(told[-1])
    assert last["type"] == "response.incomplete", "a deadline passed, and there is no answer"
    assert last["response"]["output"][-1]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].type",
        ),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": "2"}]}, "input[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
        ({"reasoning": {"depth": 3}}, "reasoning.depth"),
        ({"reasoning": {"summary": "none at all"}}, "reasoning.summary"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"background": True, "store": False}, "background"),
        ({"metadata": {"a b": "c"}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(9)}}, "metadata"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"temperature": 3}, "temperature"),
        ({"ssr": {"paths": 99}}, "ssr.paths"),
        ({"messages": []}, "messages"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(
    session: ClientSession, more: dict[str, Any], param: str
) -> None:
    async with session.post("/v1/responses", json={"model": "ssr", "input": PROBLEM, **more}) as reply:
        body = await reply.json()
    assert (reply.status, body["error"]["param"]) == (400, param)


@pytest.mark.parametrize("query", ["stream=yes", "starting_after=3", "stream=true&starting_after=-1"])
async def test_questions_that_make_no_sense_are_refused(session: ClientSession, query: str) -> None:
    async with session.get(f"/v1/responses/resp_x?{query}") as reply:
        assert reply.status == 400


async def test_a_retry_joins_the_response_that_is_there(session: ClientSession, ssr: AsyncClient) -> None:
    body = {"model": "ssr-baseline", "input": PROBLEM}
    async with session.post("/v1/responses", json=body) as reply:
        first = await reply.json()
    async with session.post("/v1/responses", json=body, headers={"x-stainless-retry-count": "1"}) as reply:
        assert (await reply.json())["id"] == first["id"]
    assert len((await ssr.list()).jobs) == 1
