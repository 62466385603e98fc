"""The gateway before the whole system: chat completions, retries that join, errors, limits."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from conftest import System
from gateway_server import (
    ANSWER,
    HANG,
    KEY,
    PROBLEM,
    asked,
    events,
    gateway,
    http,
    jobs,
    openai_client,
    post,
)
from hang_limit import LIMIT_S

from ssr.client import AsyncClient

#: Of the gateway: short pauses.
SETTINGS = {"linger_s": 0.2, "comment_s": 0.05, "chunk_s": 0.2}


async def error_of(session: ClientSession, body: Any) -> tuple[int, dict[str, Any]]:
    status, reply, headers = await post(session, body)
    assert set(reply) == {"error"}
    assert set(reply["error"]) == {"message", "type", "param", "code"}
    assert headers["x-request-id"]
    return status, reply["error"]


async def test_a_chat_completion_is_the_answer_with_its_reasoning(session: ClientSession, ssr: AsyncClient) -> None:
    status, reply, headers = await post(session, asked(seed=1))
    assert status == 200
    assert headers["x-request-id"].startswith("req_")
    (choice,) = reply["choices"]
    message = choice["message"]
    assert f"\\boxed{{{ANSWER}}}" in message["content"]
    assert message["reasoning_content"] == message["reasoning"]
    assert message["content"].strip() in message["reasoning"]
    assert choice["finish_reason"] == "stop"
    assert reply["object"] == "chat.completion"
    (job,) = await jobs(ssr)
    assert job.created is not None
    assert reply["created"] == int(job.created.timestamp())
    assert headers["x-ssr-job-id"] == reply["ssr"]["job_id"] == job.job_id
    assert job.options.seed == 1
    assert reply["ssr"]["answer"] == ANSWER
    assert reply["ssr"]["votes"][0]["answer"] == ANSWER
    assert len(reply["ssr"]["strategies"]) == 5
    usage, models = reply["usage"], job.usage.models
    assert usage["prompt_tokens"] == sum(model.prompt_tokens for model in models)
    assert usage["completion_tokens"] == sum(model.generated_tokens for model in models)
    details = usage["completion_tokens_details"]
    assert 0 < details["reasoning_tokens"] < usage["completion_tokens"]
    assert details["accepted_prediction_tokens"] == job.usage.accepted_tokens > 0
    assert usage["prompt_tokens_details"]["cached_tokens"] == sum(model.cached_tokens for model in models)


async def test_a_stream_is_role_reasoning_content_finish_and_done(session: ClientSession) -> None:
    read = await events(session, asked(seed=1, stream=True, stream_options={"include_usage": True}))
    chunks = [chunk for chunk in read if isinstance(chunk, dict)]
    assert read[-1] == "[DONE]"
    *rest, usage = chunks
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] > 0
    assert {chunk["id"] for chunk in chunks} == {usage["id"]}
    deltas = [chunk["choices"][0]["delta"] for chunk in rest]
    assert deltas[0] == {"role": "assistant", "content": ""}
    kinds = ["reasoning" if "reasoning" in delta else "content" for delta in deltas[1:] if delta]
    assert kinds == sorted(kinds, reverse=True)  # all reasoning before all content
    finish = rest[-1]
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["ssr"]["answer"] == ANSWER
    content = "".join(delta.get("content", "") for delta in deltas)
    reasoning = "".join(delta.get("reasoning", "") for delta in deltas)
    assert f"\\boxed{{{ANSWER}}}" in content
    steps = [step for step in reasoning.split("\n\n") if step]
    assert len(steps) == len(set(steps)) > 1  # none twice
    assert "usage" not in finish


async def test_usage_is_only_told_where_it_is_asked_for(session: ClientSession) -> None:
    read = await events(session, asked(stream=True))
    assert all("usage" not in chunk for chunk in read if isinstance(chunk, dict))


async def test_the_openai_client_asks_waits_and_streams(address: str) -> None:
    async with openai_client(address) as client:
        assert [model.id async for model in client.models.list()][:2] == ["ssr", "ssr-fast"]
        assert (await client.models.retrieve("ssr-cascade")).id == "ssr-cascade"
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.models.retrieve("gpt-5")
        assert unknown.value.code == "model_not_found"
        whole = await client.chat.completions.create(**asked(), extra_body={"ssr": {"paths": 2}})
        assert ANSWER in (whole.choices[0].message.content or "")
        assert whole.usage is not None
        text = ""
        async with await client.chat.completions.create(**asked(), stream=True) as stream:
            async for chunk in stream:
                text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        assert ANSWER in text


async def test_the_synchronous_openai_client_does_too(address: str) -> None:
    def ask() -> str:
        with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, timeout=LIMIT_S) as client:
            with client.chat.completions.create(**asked(), stream=True) as stream:
                streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
            whole = client.chat.completions.create(**asked())
            assert ANSWER in (whole.choices[0].message.content or "")
            return streamed

    assert ANSWER in await asyncio.to_thread(ask)


async def test_a_silent_stream_is_kept_open_by_comments_and_chunks(session: ClientSession, system: System) -> None:
    system.draft.faults.set(HANG)
    async with session.post("/v1/chat/completions", json=asked(stream=True)) as reply:
        await reply.content.readline()
        seen = [(await reply.content.readline()).decode().strip() for _ in range(24)]
    assert ": ping" in seen
    chunk = json.loads(next(line for line in seen if line.startswith("data: ")).removeprefix("data: "))
    assert chunk["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"tools": [{"type": "function"}]}, "tools", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "unsupported_parameter"),
        ({"presence_penalty": 0.5}, "presence_penalty", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"audio": {}}, "audio", "unsupported_parameter"),
        ({"bogus": 1}, "bogus", "unknown_parameter"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"top_p": 0}, "top_p", "invalid_value"),
        ({"seed": -1}, "seed", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"n": 17}, "n", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort", "unsupported_value"),
        ({"ssr": {"paths": 99}}, "ssr.paths", "invalid_value"),
        ({"ssr": {"paths": "three"}}, "ssr.paths", "invalid_value"),
        ({"ssr": {"bogus": 1}}, "ssr.bogus", "unknown_parameter"),
        ({"ssr": {"strategy_set": "none such"}}, "ssr.strategy_set", "invalid_value"),
        ({"ssr": {"labels": {"ssr/batch": "x"}}}, "ssr.labels", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "unsupported_value"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content[0].type",
            "unsupported_value",
        ),
        ({"messages": [{"role": "user", "content": "x" * 20_001}]}, "messages", "context_length_exceeded"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(
    session: ClientSession, more: dict[str, Any], param: str, code: str
) -> None:
    status, error = await error_of(session, {**asked(), **more})
    assert (status, error["param"], error["code"]) == (400, param, code)


async def test_errors_have_one_form_whatever_they_are_of(session: ClientSession) -> None:
    assert (await error_of(session, asked(model="gpt-5")))[0] == 404
    async with session.post("/v1/chat/completions", data=b"{", headers={"content-type": "application/json"}) as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (400, "invalid_json")
    async with session.post("/v1/chat/completions", data=b"{}", headers={"content-type": "text/plain"}) as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (415, "unsupported_media_type")
    async with session.get("/v1/none/such") as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (404, "unknown_url")
    large, kind = BytesIO(json.dumps(asked("x" * (1 << 20))).encode()), {"content-type": "application/json"}
    async with session.post("/v1/chat/completions", data=large, headers=kind) as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (413, "request_too_large")
    async with session.get("/v1/models", headers={"origin": "https://elsewhere.example"}) as reply:
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]
    async with session.get("/v1/models", headers={"x-request-id": "mine-1"}) as reply:
        assert reply.headers["x-request-id"] == "mine-1"


async def test_a_failure_in_mid_stream_is_an_error_event(session: ClientSession, system: System) -> None:
    system.draft.faults.set(HANG)
    async with session.post("/v1/chat/completions", json=asked(stream=True)) as reply:
        await reply.content.readline()
        async with AsyncClient(system.address) as ssr:
            await ssr.cancel((await jobs(ssr))[0].job_id)
        lines = [line.decode().strip() async for line in reply.content]
    data = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert data[-1]["error"]["code"] == "job_cancelled"


async def test_n_is_the_best_votes_and_stop_ends_the_content(session: ClientSession) -> None:
    status, reply, _ = await post(session, asked(n=2, stop="\\boxed", seed=2, ssr={"mode": "parallel", "paths": 4}))
    assert status == 200
    assert [choice["index"] for choice in reply["choices"]] == list(range(min(2, len(reply["ssr"]["votes"]))))
    assert "\\boxed" not in reply["choices"][0]["message"]["content"]


async def test_a_limit_of_tokens_makes_the_answer_partial(session: ClientSession) -> None:
    status, reply, _ = await post(session, asked(max_completion_tokens=16))
    assert status == 200
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["ssr"]["status"] == "partial"


async def test_a_conversation_is_the_problem_and_a_user_a_tenant(session: ClientSession, ssr: AsyncClient) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is 2 + 2?"}]},
        {"role": "assistant", "content": "\\boxed{4}", "reasoning_content": "2 + 2 = 4"},
        {"role": "user", "content": PROBLEM},
    ]
    status, *_ = await post(session, {"model": "ssr-fast", "messages": messages, "user": "ann"})
    assert status == 200
    (job,) = await jobs(ssr)
    assert job.tenant == "default.ann"
    assert job.problem.startswith("Be brief.")
    assert job.problem.endswith(PROBLEM)
    assert "User: What is 2 + 2?" in job.problem


@pytest.mark.parametrize("text", ["### Task:\nGenerate a title as JSON: {}", "Hello!", "thank you very much"])
async def test_what_is_no_problem_goes_to_the_target_alone(session: ClientSession, text: str, ssr: AsyncClient) -> None:
    status, reply, _ = await post(session, asked(text))
    assert status == 200
    assert isinstance(reply["choices"][0]["message"]["content"], str)
    (job,) = await jobs(ssr)
    assert (job.options.mode, job.options.paths) == ("baseline", 1)


async def test_what_is_asked_for_are_the_jobs_options(session: ClientSession, ssr: AsyncClient) -> None:
    told = asked(seed=7, temperature=0.25, top_p=0.5, max_completion_tokens=9000, reasoning_effort="low")
    own = {"threshold": 6.5, "max_steps": 40, "early_stop": False, "priority": "batch", "labels": {"lesson": "7"}}
    _, reply, _ = await post(session, {**told, "ssr": own})
    (job,) = await jobs(ssr)
    options = job.options
    assert (options.seed, options.temperature, options.top_p, options.max_tokens) == (7, 0.25, 0.5, 9000)
    assert (options.paths, options.stop_rule) == (3, "fast-2"), "the model's low effort"
    assert (options.threshold, options.max_steps, options.early_stop) == (6.5, 40, False)
    assert (job.priority, dict(job.labels)["lesson"]) == ("batch", "7")
    assert reply["ssr"]["options"]["threshold"] == 6.5


async def test_a_fingerprint_is_of_the_options_and_not_of_the_seed(session: ClientSession) -> None:
    async def fingerprint(**more: Any) -> str:
        return str((await post(session, asked(model="ssr-baseline", **more)))[1]["system_fingerprint"])

    first = await fingerprint(seed=1)
    assert first == await fingerprint(seed=2) != await fingerprint(seed=1, temperature=0.1)
    read = await events(session, asked(model="ssr-baseline", seed=3, stream=True))
    assert {chunk["system_fingerprint"] for chunk in read if isinstance(chunk, dict)} == {first}


async def test_web_pages_of_origins_that_are_named_may_call_and_others_may_not(system: System) -> None:
    theirs, others = "https://chat.example.com", "https://elsewhere.example"
    async with gateway(system.address, cors_origins=(theirs,)) as address, http(address) as session:
        asking = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        async with session.options("/v1/chat/completions", headers={"origin": theirs, **asking}) as reply:
            assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, theirs)
        async with session.options("/v1/chat/completions", headers={"origin": others, **asking}) as reply:
            assert (reply.status, "access-control-allow-origin" in reply.headers) == (400, False)
        async with session.get("/v1/models", headers={"origin": theirs}) as reply:
            shown = reply.headers["access-control-expose-headers"]
            assert {"x-request-id", "retry-after", "x-ratelimit-reset-requests"} <= set(shown.split(", "))
