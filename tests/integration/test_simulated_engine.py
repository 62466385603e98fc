"""The simulated engine over HTTP, with the faults that only a connection can have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hang_limit import LIMIT_S

from ssr.core.answers import boxed
from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, Quality, SimulatedSettings
from ssr.engine_server.simulated.template import render

SETTINGS = SimulatedSettings(quality=Quality(error_rate=0, blemish_rate=0), latency=Latency(time_scale=0))
PROMPT = render(solving("What is 17 + 25?", NO_STRATEGY))
BODY = {"inputs": PROMPT, "parameters": {"max_new_tokens": 200, "details": True}}


@pytest.fixture
def backend() -> SimulatedBackend:
    return SimulatedBackend(SETTINGS)


@pytest.fixture
async def http(backend: SimulatedBackend) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        running_server(backend, grace_s=1, extend=lambda app: add_simulated_routes(app, backend)) as base_url,
        aiohttp.ClientSession(base_url, timeout=timeout) as session,
    ):
        yield session


async def plan(http: aiohttp.ClientSession, **fields: Any) -> Any:
    async with http.post("/simulated/faults", json=fields) as reply:
        return await reply.json()


async def state(http: aiohttp.ClientSession) -> Any:
    async with http.get("/simulated/faults") as reply:
        return await reply.json()


async def generated(http: aiohttp.ClientSession) -> tuple[int, Any]:
    async with http.post("/generate", json=BODY) as reply:
        return reply.status, await reply.json()


async def test_a_solution_over_http(http: aiohttp.ClientSession) -> None:
    status, reply = await generated(http)
    assert status == 200
    assert boxed(reply["generated_text"]) == "42"
    assert reply["details"]["finish_reason"] == "eos_token"


async def test_chat_tokenize_renders_the_prompt(http: aiohttp.ClientSession) -> None:
    messages = [{"role": m.role, "content": m.content} for m in solving("What is 17 + 25?", NO_STRATEGY)]
    async with http.post("/chat_tokenize", json={"messages": messages}) as reply:
        assert (await reply.json())["templated_text"] == PROMPT


@pytest.mark.parametrize(
    ("kind", "status", "error_type"),
    [("overloaded", 429, "overloaded"), ("failed", 424, "generation"), ("incomplete", 500, "incomplete_generation")],
)
async def test_planned_errors(http: aiohttp.ClientSession, kind: str, status: int, error_type: str) -> None:
    await plan(http, next_requests={kind: 1})
    found, reply = await generated(http)
    assert (found, reply["error_type"]) == (status, error_type)
    assert (await generated(http))[0] == 200


async def test_a_truncated_reply_is_no_json(http: aiohttp.ClientSession) -> None:
    await plan(http, next_requests={"truncated": 1})
    async with http.post("/generate", json=BODY) as reply:
        assert reply.status == 200
        assert reply.content_type == "application/json"
        with pytest.raises(ValueError):
            await reply.json()


@pytest.mark.parametrize(("path", "kind"), [("/generate", "reset"), ("/generate_stream", "truncated")])
async def test_a_reset_connection(http: aiohttp.ClientSession, path: str, kind: str) -> None:
    await plan(http, next_requests={kind: 1})
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.post(path, json=BODY)
    assert (await generated(http))[0] == 200


async def test_a_hang_lasts_until_the_client_goes_away(http: aiohttp.ClientSession, backend: SimulatedBackend) -> None:
    await plan(http, next_requests={"hang": 1})
    waiting = asyncio.create_task(generated(http))
    async with asyncio.timeout(LIMIT_S):
        while (await state(http))["counters"]["in_flight"] == 0:
            pass
        waiting.cancel()
        while (await state(http))["counters"]["cancelled"] == 0:
            pass
    assert backend.activity.in_flight == 0
    assert backend.metrics().running == 0


async def test_the_counters_are_shown(http: aiohttp.ClientSession) -> None:
    await plan(http, next_requests={"overloaded": 1}, slow_factor=2)
    await generated(http)
    await generated(http)
    shown = await state(http)
    counters = shown["counters"]
    assert shown["plan"]["slow_factor"] == 2
    assert shown["faults"] == {"overloaded": 1}
    assert (counters["requests"], counters["completed"], counters["failed"]) == (2, 1, 1)
    assert counters["generated_tokens"] > 10


@pytest.mark.parametrize("body", [b"no json", b'{"rates": {"hang": 2}}', b'{"unheard_of": 1}'])
async def test_a_wrong_plan_is_refused(http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post("/simulated/faults", data=body) as reply:
        assert reply.status == 422
        assert (await reply.json())["error_type"] == "validation"
