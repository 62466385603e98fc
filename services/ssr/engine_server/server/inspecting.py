"""The endpoints that do not generate: /info, /health, /tokenize, /chat_tokenize and /metrics."""

from __future__ import annotations

from aiohttp import web

from ssr.engine_server.server.backend import Backend
from ssr.engine_server.server.errors import UNHEALTHY, invalid
from ssr.engine_server.server.metrics import ServerMetrics
from ssr.engine_server.server.replies import info_reply, pieces_reply
from ssr.engine_server.server.schema import ChatBody, GenerateBody, parse
from ssr.engines.base import ChatMessage


class Inspecting:
    """Handlers over one backend."""

    def __init__(self, backend: Backend, metrics: ServerMetrics) -> None:
        self._backend = backend
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/info", self.info, allow_head=False),
            web.get("/health", self.health, allow_head=False),
            web.get("/metrics", self.metrics, allow_head=False),
            web.post("/tokenize", self.tokenize),
            web.post("/chat_tokenize", self.chat_tokenize),
        ]

    async def info(self, _: web.Request) -> web.Response:
        return web.json_response(info_reply(self._backend.info()))

    async def health(self, _: web.Request) -> web.Response:
        if await self._backend.healthy():
            return web.Response()
        return web.json_response(UNHEALTHY.body(), status=UNHEALTHY.status)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=self._metrics.exposition(self._backend.metrics()))

    async def tokenize(self, http: web.Request) -> web.Response:
        """The tokens that /generate would see, special tokens included."""
        body = parse(GenerateBody, await http.read())
        return web.json_response(pieces_reply(await self._backend.tokenize(body.inputs)))

    async def chat_tokenize(self, http: web.Request) -> web.Response:
        """The dialogue as the model's prompt (a last message of the assistant is continued), and its tokens."""
        body = parse(ChatBody, await http.read())
        if not body.messages:
            raise invalid("`messages` cannot be empty")
        if body.tools:
            raise invalid("`tools` is not supported by this engine")
        messages = [ChatMessage(message.role, message.text) for message in body.messages]
        text = await self._backend.render(messages, add_generation_prompt=True)
        # The template has written the special tokens already: adding them again would double them.
        pieces = await self._backend.tokenize(text, add_special=False)
        return web.json_response({"tokenize_response": pieces_reply(pieces), "templated_text": text})
