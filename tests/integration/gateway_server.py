"""A gateway in front of a system of the tests, and its clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
from aiohttp import ClientSession
from hang_limit import LIMIT_S

from ssr.client import AsyncClient, Job
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.gateway.service import running_gateway
from ssr.gateway.settings import GatewaySettings

HANG = FaultPlan(rates={FaultKind.HANG: 1.0})
#: Engines that would serve later.
BUSY = FaultPlan(rates={FaultKind.OVERLOADED: 1.0})
PROBLEM = "What is (12 * 7) + 19 - 3?"
ANSWER = "100"
KEY = "a-key-of-sixteen-characters"


@asynccontextmanager
async def gateway(orchestrator: str, **settings: Any) -> AsyncIterator[str]:
    """Its address, as "http://host:port"."""
    async with running_gateway(GatewaySettings(orchestrator=orchestrator, grace_s=1, **settings)) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def openai_client(address: str, **more: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    more = {"api_key": KEY, "timeout": LIMIT_S, **more}
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", **more) as client:
        yield client


@asynccontextmanager
async def http(address: str) -> AsyncIterator[ClientSession]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with ClientSession(address, headers=headers) as session:
        yield session


def asked(problem: str = PROBLEM, model: str = "ssr", **more: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": problem}], **more}


async def busy(backend: SimulatedBackend) -> None:
    """Until an engine has refused a request."""
    await until(lambda: backend.faults.dealt.get(FaultKind.OVERLOADED, 0) > 0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def jobs(ssr: AsyncClient) -> list[Job]:
    return list((await ssr.list()).jobs)


async def ended(ssr: AsyncClient, job_id: str) -> Job:
    async for _ in ssr.watch(job_id, timeout_s=LIMIT_S):
        pass
    return await ssr.get(job_id)


async def post(session: ClientSession, body: Any, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with session.post("/v1/chat/completions", json=body, headers=headers) as reply:
        return reply.status, await reply.json(), {name.lower(): value for name, value in reply.headers.items()}


async def events(session: ClientSession, body: Any) -> list[Any]:
    """What the lines of a stream hold; comments as texts."""
    read: list[Any] = []
    async with session.post("/v1/chat/completions", json=body) as reply:
        assert reply.status == 200
        assert reply.content_type == "text/event-stream"
        async for line in reply.content:
            text = line.decode().strip()
            if text.startswith("data: "):
                rest = text.removeprefix("data: ")
                read.append(rest if rest == "[DONE]" else json.loads(rest))
            elif text:
                read.append(text)
    return read
