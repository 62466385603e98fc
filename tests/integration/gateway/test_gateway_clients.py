"""Client libraries as they are installed: LangChain, openai for Node, the AI SDK, curl; Open WebUI; keys and TLS."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
from pathlib import Path

import openai
import pytest
from aiohttp import ClientSession
from certificates import authority, issue
from conftest import Services, System
from gateway_server import ANSWER, HANG, KEY, PROBLEM, asked, gateway, http, openai_client
from hang_limit import LIMIT_S
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ssr.client import AsyncClient
from ssr.core.job import JobStatus
from ssr.engine_server.simulated.faults import FaultPlan
from ssr.gateway.service import running_gateway
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.settings import TlsSettings

EXAMPLES = Path(__file__).parents[3] / "examples"
NODE = """
import OpenAI from "openai";
const client = new OpenAI({baseURL: process.argv[2], apiKey: "any", maxRetries: 0});
const messages = [{role: "user", content: process.argv[3]}];
const models = await client.models.list();
if (models.data[0].id !== "ssr") throw new Error("no model");
const whole = await client.chat.completions.create({model: "ssr", messages});
console.log(whole.choices[0].message.content);
let text = "";
for await (const chunk of await client.chat.completions.create({model: "ssr", messages, stream: true}))
  text += chunk.choices[0]?.delta?.content ?? "";
console.log(text);
try { await client.chat.completions.create({model: "none", messages}); }
catch (error) { console.log(error.status, error.code); }
"""

AI_SDK = """
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
const [url, prompt] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: "ssr", baseURL: url, apiKey: "any", includeUsage: true });
const model = provider("ssr");
const whole = await generateText({ model, prompt, maxRetries: 0 });
console.log(JSON.stringify({ text: whole.text, reasoning: whole.reasoningText, finish: whole.finishReason }));
const stream = streamText({ model, prompt, maxRetries: 0, maxOutputTokens: 5000 });
let text = "", reasoning = "";
for await (const part of stream.fullStream) {
  if (part.type === "text-delta") text += part.text;
  if (part.type === "reasoning-delta") reasoning += part.text;
  if (part.type === "error") throw part.error;
}
const usage = await stream.usage;
console.log(JSON.stringify({ text, reasoning, finish: await stream.finishReason, output: usage.outputTokens }));
try { await generateText({ model: provider("none"), prompt, maxRetries: 0 }); }
catch (error) { console.log(JSON.stringify({ status: error.statusCode, message: error.message })); }
"""


async def test_langchain_invokes_streams_and_batches(address: str) -> None:
    model = ChatOpenAI(model="ssr", base_url=f"{address}/v1", api_key=SecretStr(KEY), timeout=LIMIT_S)
    reply = await model.ainvoke(PROBLEM)
    assert ANSWER in str(reply.content)
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] > 0
    parts = [str(part.content) async for part in model.astream(PROBLEM)]
    assert ANSWER in "".join(parts)
    batch = await model.abatch(["What is (2 * 3) + 4?", "What is (5 * 5) - 1?"])
    assert ["10" in str(batch[0].content), "24" in str(batch[1].content)] == [True, True]
    limited = ChatOpenAI(
        model="ssr-fast", base_url=f"{address}/v1", api_key=SecretStr(KEY), max_completion_tokens=4000, temperature=0.5
    )
    assert ANSWER in str((await asyncio.to_thread(limited.invoke, PROBLEM)).content)


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(LIMIT_S):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_openai_for_node_asks_streams_and_reads_errors(address: str, tmp_path: Path) -> None:
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("needs npm and node")
    code, output = await run(
        "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "openai@6.49.0", cwd=tmp_path
    )
    if code:
        pytest.skip(f"npm cannot install openai: {output.strip()[-200:]}")
    (tmp_path / "ask.mjs").write_text(NODE)
    code, output = await run("node", "ask.mjs", f"{address}/v1", PROBLEM, cwd=tmp_path)
    assert code == 0, output
    assert output.count(f"\\boxed{{{ANSWER}}}") == 2
    assert output.strip().splitlines()[-1] == "404 model_not_found"


async def test_the_ai_sdk_of_vercel_generates_and_streams(address: str, tmp_path: Path) -> None:
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("needs npm and node")
    packages = ("ai@6.0.326", "@ai-sdk/openai-compatible@2.0.92")
    code, output = await run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages, cwd=tmp_path)
    if code:
        pytest.skip(f"npm cannot install the AI SDK: {output.strip()[-200:]}")
    (tmp_path / "ask.mjs").write_text(AI_SDK)
    code, output = await run("node", "ask.mjs", f"{address}/v1", PROBLEM, cwd=tmp_path)
    assert code == 0, output
    whole, streamed, refused = (json.loads(line) for line in output.strip().splitlines())
    for reply in (whole, streamed):
        assert f"\\boxed{{{ANSWER}}}" in reply["text"]
        assert reply["finish"] == "stop"
        assert reply["reasoning"]
        assert reply["reasoning"].count(reply["reasoning"][:40]) == 1, "no text comes under two names"
    assert streamed["output"] > 0
    assert (refused["status"], "none" in refused["message"]) == (404, True)


async def test_open_webui_asks_stops_and_asks_again(system: System) -> None:
    """Its requests, as its source makes them: a chat with its settings, titles and tags, stop, regenerate."""
    chat = {
        "stream": True,
        "model": "ssr",
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "What is 1 + 1?"},
            {"role": "assistant", "content": "It is 2."},
            {"role": "user", "content": PROBLEM},
        ],
        "stream_options": {"include_usage": True},
        "temperature": 0.6,
        "max_tokens": 8000,
    }
    history = "<chat_history>\nUSER: What is 2 + 2?\nASSISTANT: 4\n</chat_history>"
    tasks = [
        {
            "model": "ssr",
            "messages": [{"role": "user", "content": f"### Task:\n{told}\n### Chat History:\n{history}"}],
            "stream": False,
            **limit,
        }
        for told, limit in (
            ("Generate a concise, 3-5 word title with an emoji.", {"max_completion_tokens": 1000}),
            ("Generate 1-3 broad tags categorizing the main themes.", {}),
            ("Suggest 3-5 relevant follow-up questions.", {}),
        )
    ]
    async with gateway(system.address, join_s=0.0) as address, http(address) as session:
        async with session.get("/v1/models") as reply:
            assert "ssr" in [model["id"] for model in (await reply.json())["data"]]
        system.draft.faults.set(HANG)
        async with session.post("/v1/chat/completions", json=chat) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            await reply.content.readline()  # and the user stops it: it closes the socket
            stopped = reply.headers["x-ssr-job-id"]
        async with AsyncClient(system.address) as ssr:
            async for _ in ssr.watch(stopped, timeout_s=LIMIT_S):
                pass
            assert (await ssr.get(stopped)).status is JobStatus.CANCELLED
        system.draft.faults.set(FaultPlan())
        seen = [stopped]
        for _ in range(2):  # sent again, and then regenerated
            async with session.post("/v1/chat/completions", json=chat) as reply:
                text = await reply.text()
            assert text.rstrip().endswith("data: [DONE]")
            assert '"error"' not in text
            seen.append(reply.headers["x-ssr-job-id"])
        assert len(set(seen)) == 3
        for task in tasks:
            async with session.post("/v1/chat/completions", json=task) as reply:
                body = await reply.json()
            assert (reply.status, body["ssr"]["options"]["mode"]) == (200, "baseline")
            assert body["choices"][0]["message"]["content"]


async def test_curl_sees_a_stream(address: str, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    body = json.dumps(asked(stream=True))
    url, header = f"{address}/v1/chat/completions", "content-type: application/json"
    code, output = await run("curl", "-sN", url, "-H", header, "-d", body, cwd=tmp_path)
    assert code == 0
    assert output.startswith("data: ")
    assert output.strip().splitlines()[-1] == "data: [DONE]"


async def test_keys_are_those_of_the_orchestrator_and_users_are_tenants_below(
    services: Services, tmp_path: Path
) -> None:
    (tmp_path / "acme").write_text(KEY)
    settings = services.orchestrator.model_copy(update={"api_keys": tmp_path})
    async with running_orchestrator(settings) as port, gateway(f"127.0.0.1:{port}") as address:
        async with openai_client(address, api_key="not-a-good-key-at-all") as stranger:
            with pytest.raises(openai.AuthenticationError) as caught:
                await stranger.chat.completions.create(**asked())
        assert caught.value.code == "invalid_api_key"
        async with openai_client(address) as client:
            reply = await client.chat.completions.create(**asked(), user="ann@example.com")
            assert ANSWER in (reply.choices[0].message.content or "")
        async with AsyncClient(f"127.0.0.1:{port}", api_key=KEY) as ssr:
            (job,) = (await ssr.list()).jobs
        assert job.tenant.startswith("acme.u-")


async def test_too_many_requests_are_told_when_to_come_back(services: Services) -> None:
    settings = services.orchestrator.model_copy(update={"tenant_rates": "*=jobs:2/tokens:100000"})
    replies = []
    async with (
        running_orchestrator(settings) as port,
        gateway(f"127.0.0.1:{port}") as address,
        http(address) as session,
    ):
        for problem in ("What is 1 + 1?", "What is 1 + 2?", "What is 1 + 3?"):
            async with session.post("/v1/chat/completions", json=asked(problem)) as reply:
                replies.append((reply.status, reply.headers, await reply.json()))
    status, headers, body = replies[0]
    assert status == 200
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert 0 < float(headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 30
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("100000", "100000")
    status, headers, body = replies[-1]
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert int(headers["retry-after-ms"]) > 0
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "0")
    assert 0 < float(headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 30
    assert body["error"]["type"] == "rate_limit_error"


async def test_it_serves_https(services: Services, tmp_path: Path) -> None:
    signer = authority(tmp_path)
    issue(signer, tmp_path / "gateway")
    tls = TlsSettings(
        certificate=tmp_path / "gateway" / "tls.crt", key=tmp_path / "gateway" / "tls.key", authority=signer.certificate
    )
    async with running_orchestrator(services.orchestrator) as port:
        own = GatewaySettings(orchestrator=f"127.0.0.1:{port}", tls=tls, health_port=0, grace_s=1)
        async with running_gateway(own) as front, ClientSession() as session:
            trust = ssl.create_default_context(cafile=str(signer.certificate))
            async with session.get(f"https://localhost:{front}/v1/models", ssl=trust) as reply:
                assert reply.status == 200


@pytest.mark.parametrize("example", ["openai_client.py", "langchain_client.py"])
async def test_the_examples_run(address: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSR_OPENAI_URL", f"{address}/v1")
    code, output = await run(sys.executable, str(EXAMPLES / example), cwd=tmp_path)
    assert code == 0, output
    assert "boxed" in output
