"""TGI's OpenAI endpoints that clients of dialogues use: /v1/chat/completions and /v1/models."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from time import monotonic, time
from typing import Any

from aiohttp import web
from pydantic_core import to_json

from ssr.engine_server.server.backend import Backend, FinishReason, GenerationEnd, TokenEvent
from ssr.engine_server.server.errors import invalid
from ssr.engine_server.server.generating import Generating
from ssr.engine_server.server.metrics import ServerMetrics
from ssr.engine_server.server.replies import stream_headers
from ssr.engine_server.server.schema import CompletionBody, GenerateBody, parse
from ssr.engines.base import ChatMessage


class Chatting:
    """Handlers that turn a dialogue into a prompt and have `generating` go on with it."""

    def __init__(self, backend: Backend, generating: Generating, metrics: ServerMetrics) -> None:
        self._backend, self._generating, self._metrics = backend, generating, metrics

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self.complete),
            web.get("/v1/models", self.models, allow_head=False),
        ]

    async def models(self, _: web.Request) -> web.Response:
        name = self._backend.info().model_id
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": name}]}
        )

    async def complete(self, http: web.Request) -> web.StreamResponse:
        received = monotonic()
        self._metrics.request()
        try:
            asked = parse(CompletionBody, await http.read())
            body = GenerateBody(inputs=await self._prompt(asked), parameters=asked.parameters())
            if asked.stream:
                return await self._stream(http, asked, body, received)
            generation, end = await self._generating.generated(body, received)
        except Exception as error:
            failure = self._generating.failed(error)
            return web.json_response(failure.body(), status=failure.status)
        self._metrics.success(generation, end, generation.timings(end))
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": generation.text},
            "logprobs": {"content": [_logprobs(event) for event in generation.events]} if asked.logprobs else None,
            "finish_reason": _reason(end),
        }
        reply = self._reply("chat.completion", [choice], _usage(end, len(generation.events)))
        return web.Response(body=to_json(reply), content_type="application/json", charset="utf-8")

    async def _prompt(self, asked: CompletionBody) -> str:
        """The dialogue in the model's template, without a beginning of sequence that the backend adds itself."""
        if not asked.messages:
            raise invalid("`messages` cannot be empty")
        for name, unsupported in (
            ("tools", asked.tools),
            ("response_format", asked.response_format),
            ("n", (asked.n or 1) > 1),
        ):
            if unsupported:
                raise invalid(f"`{name}` is not supported by this engine")
        text = await self._backend.render([ChatMessage(message.role, message.text) for message in asked.messages])
        pieces = await self._backend.tokenize(text)
        doubled = len(pieces) > 1 and pieces[0].id == pieces[1].id
        return text.removeprefix(pieces[1].text) if doubled else text

    async def _stream(
        self, http: web.Request, asked: CompletionBody, body: GenerateBody, received: float
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=stream_headers(len(body.inputs)))
        response.content_type = "text/event-stream"
        response.headers["cache-control"] = "no-cache"
        await response.prepare(http)
        try:
            await self._send(response, asked, body, received)
            await response.write(b"data: [DONE]\n\n")
        except ConnectionError:
            self._metrics.failure("disconnected")  # the client is gone
        except Exception as error:
            failure = self._generating.failed(error)
            said = {"message": failure.error, "http_status_code": failure.status}
            await response.write(b"data: " + to_json({"error": said}) + b"\n\n")
        return response

    async def _send(
        self, response: web.StreamResponse, asked: CompletionBody, body: GenerateBody, received: float
    ) -> None:
        async with aclosing(self._generating.arriving(body, received)) as arriving:
            async for generation, event in arriving:
                choice = {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "" if event.token.special else event.token.text},
                    "logprobs": {"content": [_logprobs(event)]} if asked.logprobs else None,
                    "finish_reason": None if event.end is None else _reason(event.end),
                }
                chunk = self._reply("chat.completion.chunk", [choice], None)
                await response.write(b"data: " + to_json(chunk) + b"\n\n")
                if event.end is not None and asked.stream_options and asked.stream_options.include_usage:
                    usage = _usage(event.end, len(generation.events))
                    chunk = self._reply("chat.completion.chunk", [], usage)
                    await response.write(b"data: " + to_json(chunk) + b"\n\n")

    def _reply(self, kind: str, choices: list[dict[str, Any]], usage: Mapping[str, int] | None) -> dict[str, Any]:
        info = self._backend.info()
        return {
            "id": "",
            "object": kind,
            "created": int(time()),
            "model": info.model_id,
            "system_fingerprint": f"{info.version}-native",
            "choices": choices,
            "usage": usage,
        }


def _reason(end: GenerationEnd) -> str:
    """As TGI: the end of the turn is "stop" here, a stop text "stop_sequence"."""
    return "stop" if end.reason is FinishReason.EOS_TOKEN else end.reason.value


def _usage(end: GenerationEnd, generated: int) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": generated,
        "total_tokens": end.prompt_tokens + generated,
    }


def _logprobs(event: TokenEvent) -> dict[str, Any]:
    return {
        "token": event.token.text,
        "logprob": event.token.logprob,
        "top_logprobs": [{"token": token.text, "logprob": token.logprob} for token in event.top_tokens],
    }
