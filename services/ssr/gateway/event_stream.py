"""A reply of server-sent events that a silent source does not let die, and that ends with its caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Scope, Send

COMMENT = b": ping\n\n"
HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """After `comment_s` seconds of silence a comment is sent; after `chunk_s` without a chunk, what `chunk` gives."""

    comment_s: float
    chunk_s: float = float("inf")
    chunk: Callable[[], bytes] = bytes


class EventStream:
    """Sends what `events` gives. When the caller goes, `events` is closed where it is, and `left` is awaited."""

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        heartbeat: Heartbeat,
        headers: Mapping[str, str],
        left: Callable[[], Awaitable[None]],
    ) -> None:
        self._events, self._heartbeat, self._left = events, heartbeat, left
        self._headers = {**HEADERS, **headers}
        self._sent = self._said = time.monotonic()  # the last chunk, and the last of anything

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self._events):
            working = asyncio.create_task(self._send(send), name="stream")
            caller = asyncio.create_task(gone(receive), name="stream's caller")
            beating = asyncio.create_task(self._beat(send), name="stream's heartbeat")
            try:
                await asyncio.wait([working, caller], return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    await self._left()
            finally:
                for task in (working, caller, beating):
                    task.cancel()
                results = await asyncio.gather(working, caller, beating, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _send(self, send: Send) -> None:
        async for chunk in self._events:
            self._sent = self._said = time.monotonic()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._said = self._sent = float("inf")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _beat(self, send: Send) -> None:
        beat = self._heartbeat
        while True:
            due = min(self._said + beat.comment_s, self._sent + beat.chunk_s) - time.monotonic()
            if due > 0:
                await asyncio.sleep(min(due, beat.comment_s))
                continue
            now = self._said = time.monotonic()
            body = COMMENT
            if now >= self._sent + beat.chunk_s:
                body, self._sent = beat.chunk(), now
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def gone(receive: Receive) -> None:
    """Until the caller has closed the connection."""
    message: Any = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
