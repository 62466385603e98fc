"""Scripted engine servers on real sockets: TGI's and OpenAI's HTTP APIs over a "model" that says fixed tokens."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

BOS = "<s>"
NAME = "acme/Scripted-1.5B-Instruct"
CONTEXT = 200
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, body: dict[str, Any] | str = "", headers: dict[str, str] | None = None) -> Fault:
    async def reply(_: web.Request) -> web.StreamResponse:
        if isinstance(body, dict):
            return web.json_response(body, status=code, headers=headers)
        return web.Response(status=code, text=body, headers=headers)

    return reply


async def truncated(request: web.Request) -> web.StreamResponse:
    """Promises more than it sends, then closes the connection, as an engine does that dies."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"generated_text": "half a te')
    assert request.transport is not None
    request.transport.close()
    return response


@dataclass
class ScriptedServer:
    """What the model says and the server's limits and faults; what it was asked."""

    says: list[str] = field(default_factory=lambda: ["First", " step", " here.", "\n\n", "Second", " one."])
    top: list[tuple[str, float]] = field(default_factory=lambda: [("7", -0.7), ("8", -0.2), ("9", -2.5), ("No", -4.0)])
    top_n_limit: int = 5
    #: Whether the prompt's own tokens come with log probabilities: -0.5 for each, -1.5 for those with a "!".
    prompt_logprobs: bool = True
    adds_bos: bool = False
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    #: While clear, generations hang.
    open: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    running: int = 0
    peak: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self.open.set()

    async def reached(self, running: int) -> None:
        """Waits until so many generations have run at a time."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.peak >= running)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body, _ in self.requests if asked == path]

    def tokens(self, text: str) -> list[str]:
        found = re.findall(rf"{re.escape(BOS)}|(?:(?!{re.escape(BOS)})\S)+\s*|\s+", text)
        return ["", *found] if self.adds_bos else found

    def prefill(self, text: str) -> list[tuple[str, float | None]]:
        tokens = self.tokens(text)
        return [(token, None if at == 0 else -1.5 if "!" in token else -0.5) for at, token in enumerate(tokens)]

    def ids(self, text: str) -> list[int]:
        return [1 if token in ("", BOS) else 2 + sum(token.encode()) for token in self.tokens(text)]

    @web.middleware
    async def observe(self, request: web.Request, handler: Fault) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        self.requests.append((request.path, body, dict(request.headers)))
        if request.path not in ("/generate", "/generate_stream", "/v1/completions"):
            return await handler(request)
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.started.set()
        async with self.changed:
            self.changed.notify_all()
        try:
            await self.open.wait()
            return await (self.faults.popleft() if self.faults else handler)(request)
        except asyncio.CancelledError:
            self.disconnected.set()
            raise
        finally:
            self.running -= 1

    def say(self, max_tokens: int, stopped: Callable[[str], bool]) -> tuple[list[str], str]:
        """The tokens said, and why they end: stop, length or eos."""
        said: list[str] = []
        for token in self.says[:max_tokens]:
            said.append(token)
            if stopped("".join(said)):
                return said, "stop"
        return said, "length" if max_tokens <= len(self.says) else "eos"


def _sampling_fault(server: ScriptedServer, parameters: dict[str, Any]) -> str | None:
    top_n = parameters.get("top_n_tokens") or 0
    if top_n > server.top_n_limit:
        return f"`top_n_tokens` must be >= 0 and <= {server.top_n_limit}. Given: {top_n}"
    if parameters.get("temperature", 1.0) <= 0:
        return "`temperature` must be strictly positive"
    if not 0 < parameters.get("top_p", 0.5) < 1:
        return "`top_p` must be > 0.0 and < 1.0"
    return None


def tgi_app(server: ScriptedServer) -> web.Application:
    def refuse(message: str) -> web.Response:
        return web.json_response(
            {"error": f"Input validation error: {message}", "error_type": "validation"}, status=422
        )

    async def generate(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        parameters, prompt = body.get("parameters") or {}, body["inputs"]
        top_n, count = parameters.get("top_n_tokens") or 0, parameters["max_new_tokens"]
        if fault := _sampling_fault(server, parameters):
            return refuse(fault)
        size = len(server.tokens(prompt))
        if size + count > CONTEXT:
            return refuse(f"`inputs` tokens + `max_new_tokens` must be <= {CONTEXT}. Given: {size} and {count}")
        stops = parameters.get("stop") or []
        said, why = server.say(count, lambda text: any(text.endswith(stop) for stop in stops))
        tokens = [{"id": 5, "text": text, "logprob": -0.1, "special": False} for text in said]
        details: dict[str, Any] = {"generated_tokens": len(said), "tokens": tokens, "prefill": [], "seed": None}
        details["finish_reason"] = {"stop": "stop_sequence", "length": "length", "eos": "eos_token"}[why]
        if parameters.get("decoder_input_details"):
            read = [(token, logprob if server.prompt_logprobs else None) for token, logprob in server.prefill(prompt)]
            details["prefill"] = [{"id": 7, "text": token, "logprob": logprob} for token, logprob in read]
        if top_n:
            ranked = [{"id": 6, "text": text, "logprob": lp, "special": False} for text, lp in server.top[: top_n + 1]]
            details["top_tokens"] = [ranked for _ in said]
        return await tgi_reply(request, said, details, size)

    async def tokenize(request: web.Request) -> web.StreamResponse:
        text = (await request.json())["inputs"]
        pairs = zip(server.ids(text), server.tokens(text), strict=True)
        return web.json_response([{"id": number, "text": token, "start": 0, "stop": 0} for number, token in pairs])

    async def chat_tokenize(request: web.Request) -> web.StreamResponse:
        return web.json_response({"templated_text": templated(await request.json()), "tokenize_response": []})

    async def info(_: web.Request) -> web.StreamResponse:
        return web.json_response({"model_id": NAME, "max_total_tokens": CONTEXT})

    app = web.Application(middlewares=[server.observe])
    app.add_routes([web.post("/generate", generate), web.post("/tokenize", tokenize), web.get("/info", info)])
    app.add_routes([web.post("/generate_stream", generate)])
    app.add_routes([web.post("/chat_tokenize", chat_tokenize)])
    return app


def vllm_app(server: ScriptedServer) -> web.Application:
    vocabulary: dict[int, str] = {1: BOS}

    def refuse(message: str, param: str | None = None) -> web.Response:
        return web.json_response({"error": {"message": message, "type": "BadRequestError", "param": param}}, status=400)

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        top_n, size = body.get("logprobs") or 0, len(server.tokens(body["prompt"]))
        if top_n > server.top_n_limit:
            message = f"Requested sample logprobs of {top_n}, which is greater than max allowed: {server.top_n_limit}"
            return refuse(message, "logprobs")
        if size + body["max_tokens"] > CONTEXT:
            return refuse(f"This model's maximum context length is {CONTEXT} tokens", "input_tokens")
        stops = body.get("stop") or []
        said, why = server.say(body["max_tokens"], lambda text: any(stop in text for stop in stops))
        text, hit = "".join(said), next((stop for stop in stops if stop in "".join(said)), None)
        choice: dict[str, Any] = {"index": 0, "text": text.split(hit)[0] if hit else text, "stop_reason": hit}
        choice["finish_reason"] = "length" if why == "length" else "stop"
        if top_n:
            choice["logprobs"] = {"top_logprobs": [dict(server.top[: top_n + 1])], "tokens": said}
            choice["logprobs"]["token_logprobs"] = [-0.1 for _ in said]
        if body.get("echo") and server.prompt_logprobs:
            tokens, logprobs = zip(*server.prefill(body["prompt"]), *[(token, -0.1) for token in said], strict=True)
            choice["logprobs"] = {"tokens": list(tokens), "token_logprobs": list(logprobs)}
        return await vllm_reply(request, said, choice, size)

    async def tokenize(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["prompt"] if "prompt" in body else templated(body)
        bos, server.adds_bos = server.adds_bos, server.adds_bos and "prompt" in body
        numbers, tokens = server.ids(text), server.tokens(text)
        server.adds_bos = bos
        vocabulary.update({n: t for n, t in zip(numbers, tokens, strict=True) if n != 1})
        return web.json_response({"count": len(numbers), "max_model_len": CONTEXT, "tokens": numbers})

    async def detokenize(request: web.Request) -> web.StreamResponse:
        return web.json_response({"prompt": "".join(vocabulary[n] for n in (await request.json())["tokens"])})

    async def models(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": NAME, "owned_by": "vllm", "max_model_len": CONTEXT}]})

    app = web.Application(middlewares=[server.observe])
    app.add_routes([web.post("/v1/completions", complete), web.get("/v1/models", models)])
    app.add_routes([web.post("/tokenize", tokenize), web.post("/detokenize", detokenize)])
    return app


async def tgi_reply(request: web.Request, said: list[str], details: dict[str, Any], size: int) -> web.StreamResponse:
    if request.path == "/generate_stream":
        return await streamed(request, tgi_events(said, details | {"input_length": size, "cached_length": 3}))
    headers = {"x-prompt-tokens": str(size), "x-cached-tokens": "3"}
    return web.json_response({"generated_text": "".join(said), "details": details}, headers=headers)


async def vllm_reply(request: web.Request, said: list[str], choice: dict[str, Any], size: int) -> web.StreamResponse:
    usage = {"prompt_tokens": size, "completion_tokens": len(said), "prompt_tokens_details": {"cached_tokens": 3}}
    if (await request.json()).get("stream"):
        return await streamed(request, vllm_events(said, choice, usage))
    return web.json_response({"id": "1", "object": "text_completion", "choices": [choice], "usage": usage})


def tgi_events(said: list[str], details: dict[str, Any]) -> list[str]:
    """TGI's events: the stop text is in them, the last one has everything."""
    events: list[dict[str, Any]] = [
        {"index": at + 1, "token": {"id": 5, "text": text, "logprob": -0.1, "special": False}, "generated_text": None}
        for at, text in enumerate(said)
    ]
    events[-1] |= {"generated_text": "".join(said), "details": details}
    return [json.dumps(event) for event in events]


def vllm_events(said: list[str], choice: dict[str, Any], usage: dict[str, Any]) -> list[str]:
    """vLLM's events: without the stop text, then the reason, then the usage, then the end."""
    texts, left = [], choice["text"]
    for token in said:
        texts.append(left[: len(token)])
        left = left[len(token) :]
    events: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "text": text, "finish_reason": None, "stop_reason": None}], "usage": None}
        for text in texts
    ]
    events[-1]["choices"][0] |= {name: choice[name] for name in ("finish_reason", "stop_reason")}
    return [*map(json.dumps, [*events, {"choices": [], "usage": usage}]), "[DONE]"]


async def streamed(request: web.Request, events: list[str], *, newline: str = "\n") -> web.StreamResponse:
    """The events as they come from a server, with a keep-alive comment before each."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(f": keep-alive{newline}{newline}data: {event}{newline}{newline}".encode())
    return response


def templated(body: dict[str, Any]) -> str:
    turns = "".join(f"[{m['role']}] {m['content']} [end] " for m in body["messages"])
    return f"{BOS}{turns}[assistant] "


@asynccontextmanager
async def scripted(
    make_app: Callable[[ScriptedServer], web.Application], **script: Any
) -> AsyncIterator[ScriptedServer]:
    """A running server; what it is asked to say and do can be changed while it runs."""
    server = ScriptedServer(**script)
    runner = web.AppRunner(make_app(server), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
