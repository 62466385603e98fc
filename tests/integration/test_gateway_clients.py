"""Client libraries as they are installed, against the gateway: LangChain, openai for Node, curl; keys and TLS."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from aiohttp import ClientSession
from certificates import authority, issue
from conftest import Services, System
from gateway_server import ANSWER, KEY, LIMIT_S, PROBLEM, asked, gateway, http, openai_client
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from ssr.client import AsyncClient
from ssr.gateway.service import running_gateway
from ssr.gateway.settings import GatewaySettings
from ssr.orchestrator.service import running_orchestrator
from ssr.runtime.settings import TlsSettings

EXAMPLES = Path(__file__).parents[2] / "examples"
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


@pytest.fixture
async def address(system: System) -> AsyncIterator[str]:
    async with gateway(system.address) as address:
        yield address


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
    async with asyncio.timeout(100):
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
    settings = services.orchestrator.model_copy(update={"tenant_rates": "*=jobs:1"})
    replies = []
    async with (
        running_orchestrator(settings) as port,
        gateway(f"127.0.0.1:{port}") as address,
        http(address) as session,
    ):
        for problem in ("What is 1 + 1?", "What is 1 + 2?", "What is 1 + 3?"):
            async with session.post("/v1/chat/completions", json=asked(problem)) as reply:
                replies.append((reply.status, reply.headers, await reply.json()))
    status, headers, body = replies[-1]
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert int(headers["retry-after-ms"]) > 0
    assert headers["x-ratelimit-remaining-requests"] == "0"
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
