"""The ways to one job: by gRPC, and over HTTP; what each step takes from its sending to where it is read."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import orjson

from ssr.client import AsyncClient
from ssr.core.errors import BadReply
from ssr.core.run import StepCommitted
from ssr_bench.gateway.http_caller import HttpCaller
from ssr_bench.gateway.scripted import sent_at_ns

#: Of one job, in seconds.
LIMIT_S = 120.0


async def watched(client: AsyncClient, problem: str) -> list[float]:
    """By gRPC: ms from each step's sending to its arrival."""
    job = await client.submit(problem)
    delays = []
    async with aclosing(client.watch(job.job_id, timeout_s=LIMIT_S)) as events:
        async for event in events:
            arrived = time.monotonic_ns()
            if isinstance(event.happening, StepCommitted):
                delays.append((arrived - (sent_at_ns(event.happening.step.text) or arrived)) / 1e6)
    return delays


async def streamed(caller: HttpCaller, body: dict[str, Any]) -> list[float]:
    """Through the gateway: the same. Raises: BadReply where the stream is not whole."""
    stream = _Stream()
    async with asyncio.timeout(LIMIT_S):
        status = await caller.post("/v1/chat/completions", body, stream.read)
    steps = int(body["messages"][0]["content"].partition("steps=")[2].partition(" ")[0])
    if status != 200 or len(stream.delays) != steps or not stream.done:
        raise BadReply(f"a stream ended with {status}, had {len(stream.delays)} of {steps} steps, {stream.rest[:80]!r}")
    return stream.delays


class _Stream:
    """Reads server-sent events as they come: `delays` are ms from each step's sending to where its text is read."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.done = False
        self.rest = b""

    def read(self, piece: bytes) -> None:
        *lines, self.rest = (self.rest + piece).split(b"\n\n")
        for line in lines:
            if line == b"data: [DONE]":
                self.done = True
            elif line.startswith(b"data: {"):
                self._chunk(orjson.loads(line[6:]))

    def _chunk(self, chunk: dict[str, Any]) -> None:
        (choice, *_) = chunk["choices"] or [{}]
        sent = sent_at_ns(choice.get("delta", {}).get("reasoning_content", ""))
        if sent is not None:
            self.delays.append((time.monotonic_ns() - sent) / 1e6)


def body_of(problem: str, number: int, **more: Any) -> dict[str, Any]:
    # Another number is another request: equal ones would be one job.
    return {"model": "ssr", "messages": [{"role": "user", "content": problem}], "seed": number + 100, **more}
