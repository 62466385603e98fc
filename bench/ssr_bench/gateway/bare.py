"""The smallest application on the gateway's server: what HTTP itself takes. A process of its own.

A problem of `ssr_bench.gateway.scripted` is answered by so many bytes as the gateway's reply has, or by its steps.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
import uvloop
from starlette.types import Receive, Scope, Send

from ssr.gateway.serving import serving
from ssr_bench.gateway.scripted import script_of, step_text

#: Of a whole reply of the gateway, with three steps.
_REPLY = b'"' + 3900 * b"x" + b'"'


async def bare_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers the body of a chat completion."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    asked: dict[str, Any] = orjson.loads(body)
    if not asked.get("stream"):
        length = str(len(_REPLY)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": _REPLY})
        return
    steps, pause_s = script_of(asked["messages"][0]["content"]) or (0, 0.0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(steps):
        await asyncio.sleep(pause_s)
        text = step_text()
        chunk = orjson.dumps({"choices": [{"delta": {"reasoning_content": text, "reasoning": text}}]})
        await send({"type": "http.response.body", "body": b"data: " + chunk + b"\n\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _serve(port: int) -> None:
    async with serving(bare_app, "127.0.0.1", port, grace_s=1):
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
