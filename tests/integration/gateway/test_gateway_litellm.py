"""LiteLLM, as a library and as a proxy in front of the gateway: its requests by shape, and itself if it is installed.

It is 0.8 GB with its proxy, too much for everybody's tests: SSR_LITELLM is the folder of an environment with
`pip install 'litellm[proxy]'`, whose commands are then run.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from conftest import System
from gateway_server import ANSWER, HANG, KEY, asked
from hang_limit import LIMIT_S

from ssr.cli.stack.ports import free_port
from ssr.client import AsyncClient
from ssr.core.job import JobStatus

EXAMPLES = Path(__file__).parents[3] / "examples"
INSTALLED = os.environ.get("SSR_LITELLM", "")
needs_litellm = pytest.mark.skipif(not INSTALLED, reason="SSR_LITELLM names no environment with litellm[proxy]")
MASTER_KEY = "sk-litellm-0123456789abcdef"
#: Its start takes that long on a machine that others use, too.
START_S = 100

#: What its proxy sends with every request.
HEADERS = {
    "user-agent": "AsyncOpenAI/Python 3.57.0",
    "x-stainless-lang": "python",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "6000",
    "accept": "application/json",
}


async def test_the_proxys_models_whole_replies_and_streams(session: ClientSession, ssr: AsyncClient) -> None:
    async with session.get("/v1/models", headers=HEADERS) as reply:
        assert "ssr" in [model["id"] for model in (await reply.json())["data"]]
    async with session.post("/v1/chat/completions", json=asked(ssr={"paths": 2}), headers=HEADERS) as reply:
        whole = await reply.json()
    message = whole["choices"][0]["message"]
    assert ANSWER in message["content"]
    assert message["reasoning_content"]
    assert whole["usage"]["completion_tokens"] > 0
    streaming = asked("What is (5 * 5) - 1?", stream=True, stream_options={"include_usage": True})
    async with session.post("/v1/chat/completions", json=streaming, headers=HEADERS) as reply:
        lines = [line async for line in reply.content if line.startswith(b"data: {")]
    assert json.loads(lines[-1][6:])["choices"] == []
    assert json.loads(lines[-1][6:])["usage"]["prompt_tokens"] > 0
    assert json.loads(lines[-2][6:])["choices"][0]["finish_reason"] == "stop"
    assert len((await ssr.list()).jobs) == 2


async def test_its_health_check_is_answered_within_its_tokens(session: ClientSession) -> None:
    for content in ("Hey how's it going?", "What is 1 + 1?"):
        async with session.post("/v1/chat/completions", json=asked(content, max_tokens=16), headers=HEADERS) as reply:
            body = await reply.json()
        assert reply.status == 200
        assert body["choices"][0]["finish_reason"] in ("stop", "length")


async def test_what_it_passes_on_and_we_do_not_know_is_refused_by_name(session: ClientSession) -> None:
    for more, param in (({"chat_id": "1"}, "chat_id"), ({"thinking": {"type": "enabled"}}, "thinking")):
        async with session.post("/v1/chat/completions", json=asked(**more), headers=HEADERS) as reply:
            assert (reply.status, (await reply.json())["error"]["param"]) == (400, param)


async def run(command: str, *arguments: str, **variables: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(INSTALLED) / "bin" / command),
        *arguments,
        env=_environment(**variables),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(START_S):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def _environment(**variables: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**own, "LITELLM_LOCAL_MODEL_COST_MAP": "true", "SSR_API_KEY": KEY, **variables}


@needs_litellm
async def test_its_library_asks_and_streams(address: str) -> None:
    code, output = await run("python", str(EXAMPLES / "litellm_client.py"), SSR_OPENAI_URL=f"{address}/v1")
    assert code == 0, output
    assert output.count("boxed") >= 2


@asynccontextmanager
async def proxy(address: str) -> AsyncIterator[ClientSession]:
    """LiteLLM's proxy in front of the gateway, and a caller of it."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(Path(INSTALLED) / "bin" / "litellm"),
        *("--config", str(EXAMPLES / "litellm_proxy.yaml"), "--host", "127.0.0.1", "--port", str(port)),
        env=_environment(SSR_OPENAI_URL=f"{address}/v1", LITELLM_MASTER_KEY=MASTER_KEY),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    headers = {"authorization": f"Bearer {MASTER_KEY}"}
    try:
        async with ClientSession(
            f"http://127.0.0.1:{port}", headers=headers, timeout=ClientTimeout(LIMIT_S)
        ) as session:
            async with asyncio.timeout(START_S):
                while not await _alive(session):
                    await asyncio.sleep(0.2)
            yield session
    finally:
        process.terminate()
        await process.wait()


async def _alive(session: ClientSession) -> bool:
    with suppress(ClientError, TimeoutError):
        async with session.get("/health/liveliness") as reply:
            return reply.status == 200
    return False


@needs_litellm
@pytest.mark.timeout(2 * START_S)
async def test_its_proxy_stands_in_front(address: str, ssr: AsyncClient, system: System) -> None:
    async with proxy(address) as session:
        whole = await _body(session, asked(ssr={"paths": 2}))
        assert ANSWER in whole["choices"][0]["message"]["content"]
        assert whole["choices"][0]["message"]["reasoning_content"]
        assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        async with session.post("/v1/chat/completions", json=asked("What is (5 * 5) - 1?", stream=True)) as reply:
            text = await reply.text()
        assert "24" in "".join(_contents(text))
        assert text.rstrip().endswith("data: [DONE]")
        wrong = await _body(session, asked(temperature=5))
        assert (wrong["error"]["param"], wrong["error"]["code"]) == ("temperature", "400")
        async with session.get("/health") as reply:
            assert (await reply.json())["healthy_count"] == 1
        system.draft.faults.set(HANG)
        async with session.post("/v1/chat/completions", json=asked("What is 9 * 9?", stream=True)) as reply:
            await reply.content.readline()
        job = (await ssr.list()).jobs[0]
        assert (await ssr.wait(job.job_id, timeout_s=LIMIT_S)).status is JobStatus.CANCELLED


async def _body(session: ClientSession, body: dict[str, Any]) -> dict[str, Any]:
    async with session.post("/v1/chat/completions", json=body) as reply:
        found: dict[str, Any] = await reply.json()
        return found


def _contents(text: str) -> list[str]:
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
