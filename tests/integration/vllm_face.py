"""vLLM's HTTP API over a simulated engine: it refuses fields that vLLM does not know.

What it has: /v1/models, /v1/completions (streamed too), /tokenize of a prompt or a dialogue, /detokenize.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ssr.core.prompts import ChatMessage
from ssr.engine_server.server.backend import FinishReason, GenerateRequest, GenerationEnd, TokenEvent
from ssr.engine_server.simulated.backend import SimulatedBackend

_SAMPLING = {"temperature", "top_p", "top_k", "min_p", "seed", "logprobs"}
_PENALTIES = {"repetition_penalty", "presence_penalty", "frequency_penalty"}
_ENDS = {"max_tokens", "stop", "skip_special_tokens", "echo", "ignore_eos"}
_CALL = {"model", "prompt", "stream", "stream_options", "priority", "cache_salt"}
_KNOWN = frozenset(_SAMPLING | _PENALTIES | _ENDS | _CALL)


@dataclass
class _Face:
    backend: SimulatedBackend
    pieces: dict[int, str]
    bodies: list[dict[str, Any]]  #: of completions

    async def models(self, _: web.Request) -> web.Response:
        info = self.backend.info()
        card = {"id": info.model_id, "owned_by": "vllm", "root": info.model_id, "max_model_len": info.max_total_tokens}
        return web.json_response({"object": "list", "data": [card]})

    async def tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body.get("prompt")
        if text is None:
            turns = [ChatMessage(turn["role"], turn["content"]) for turn in body["messages"]]
            text = await self.backend.render(turns, add_generation_prompt=body.get("add_generation_prompt", True))
        found = await self.backend.tokenize(text)
        self.pieces.update((piece.id, piece.text) for piece in found)
        return web.json_response({"tokens": [piece.id for piece in found], "count": len(found), "max_model_len": 1})

    async def detokenize(self, request: web.Request) -> web.Response:
        return web.json_response({"prompt": "".join(self.pieces[token] for token in (await request.json())["tokens"])})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if unknown := sorted(body.keys() - _KNOWN):
            message = f"Extra inputs are not permitted: {', '.join(unknown)}"
            return web.json_response({"error": {"message": message, "type": "BadRequestError"}}, status=400)
        events, end = await self._events(body)
        stop, text = _stopped("".join(e.token.text for e in events if not e.token.special), body.get("stop") or [])
        choice: dict[str, Any] = {"index": 0, "text": text, "stop_reason": stop, "logprobs": None}
        choice["finish_reason"] = "length" if end.reason is FinishReason.LENGTH else "stop"
        if body.get("logprobs") is not None:
            ranked = [{token.text: token.logprob for token in event.top_tokens} for event in events]
            own = [event.token.logprob for event in events]
            texts = [event.token.text for event in events]
            choice["logprobs"] = {"tokens": texts, "token_logprobs": own, "top_logprobs": ranked}
        usage = {"prompt_tokens": end.prompt_tokens, "completion_tokens": len(events)}
        reply = {"id": "cmpl-1", "object": "text_completion", "choices": [choice], "usage": usage}
        if not body.get("stream"):
            return web.json_response(reply)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in (*_chunks(text, events, reply, logprobs=body.get("logprobs") is not None), "[DONE]"):
            await response.write(f"data: {event}\n\n".encode())
        return response

    async def _events(self, body: dict[str, Any]) -> tuple[list[TokenEvent], GenerationEnd]:
        warped = body["temperature"] > 0
        asked = GenerateRequest(
            inputs=body["prompt"],
            max_new_tokens=body["max_tokens"],
            input_length=len(await self.backend.tokenize(body["prompt"])),
            do_sample=warped,
            temperature=body["temperature"] if warped else None,
            seed=body.get("seed"),
            stop=tuple(body.get("stop") or ()),
            top_n_tokens=body.get("logprobs") or 0,
        )
        events: list[TokenEvent] = []
        async with aclosing(self.backend.generate(asked)) as batches:
            async for batch in batches:
                events += batch
        end = events[-1].end
        assert end is not None
        return events, end


def _chunks(text: str, events: list[TokenEvent], reply: dict[str, Any], *, logprobs: bool) -> Iterator[str]:
    """The reply as vLLM streams it with `continuous_usage_stats`: a chunk a token, the reason with the last."""
    choice, usage, sent = reply["choices"][0], reply["usage"], 0
    for count, event in enumerate(events, 1):
        piece = "" if event.token.special else text[sent : sent + len(event.token.text)]
        sent += len(piece)
        ended = {} if count == len(events) else {"finish_reason": None, "stop_reason": None}
        told = {"tokens": [event.token.text], "token_logprobs": [event.token.logprob]} if logprobs else None
        chunk = choice | ended | {"text": piece, "logprobs": told}
        yield json.dumps(reply | {"choices": [chunk], "usage": usage | {"completion_tokens": count}})


def _stopped(text: str, stops: list[str]) -> tuple[str | None, str]:
    """The stop text that ended it, which vLLM leaves out, and the text before it."""
    found = min((stop for stop in stops if stop in text), key=text.index, default=None)
    return found, text if found is None else text[: text.index(found)]


@asynccontextmanager
async def serving_as_vllm(backend: SimulatedBackend, bodies: list[dict[str, Any]] | None = None) -> AsyncIterator[str]:
    """Yields the server's URL. `bodies` gets what completions are asked with."""
    face = _Face(backend, {}, [] if bodies is None else bodies)
    app = web.Application()
    app.add_routes([web.get("/v1/models", face.models), web.post("/v1/completions", face.complete)])
    app.add_routes([web.post("/tokenize", face.tokenize), web.post("/detokenize", face.detokenize)])
    runner = web.AppRunner(app)
    async with backend:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
