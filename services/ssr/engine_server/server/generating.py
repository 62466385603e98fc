"""The endpoints that generate: /generate, /generate_stream and TGI's older /.

A client that goes away cancels its handler (aiohttp's `handler_cancellation`), which closes the backend's generator
and gives the permit back: nothing here may swallow `CancelledError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic
from typing import Any

from aiohttp import web
from pydantic_core import to_json

from ssr.engine_server.server.backend import Backend, GenerationEnd, TokenEvent
from ssr.engine_server.server.errors import (
    INCOMPLETE,
    INCOMPLETE_STREAM,
    OVERLOADED,
    ErrorReply,
    RefusalError,
    invalid,
    reply_for,
)
from ssr.engine_server.server.generation import ServedGeneration
from ssr.engine_server.server.metrics import ServerMetrics
from ssr.engine_server.server.replies import stream_headers, stream_reply, whole_headers, whole_reply
from ssr.engine_server.server.schema import CompatBody, GenerateBody, parse
from ssr.engine_server.server.validation import validated


class Permits:
    """At most `limit` requests at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def __enter__(self) -> None:
        """Take a permit, held while the block runs. Raises the 429 refusal when all are taken."""
        if self._taken >= self._limit:
            raise RefusalError(OVERLOADED)
        self._taken += 1

    def __exit__(self, *exc: object) -> None:
        self._taken -= 1


class Generating:
    """Handlers over one backend."""

    def __init__(self, backend: Backend, metrics: ServerMetrics) -> None:
        self._backend = backend
        self._metrics = metrics
        self._permits = Permits(backend.info().max_concurrent_requests)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/generate", self.generate),
            web.post("/generate_stream", self.generate_stream),
            web.post("/", self.compat),
        ]

    async def generate(self, http: web.Request) -> web.StreamResponse:
        received = monotonic()
        return await self._whole(parse(GenerateBody, await http.read()), received, listed=False)

    async def generate_stream(self, http: web.Request) -> web.StreamResponse:
        received = monotonic()
        return await self._stream(http, parse(GenerateBody, await http.read()), received)

    async def compat(self, http: web.Request) -> web.StreamResponse:
        """TGI's root: as the two others, but a whole reply comes in a list."""
        received = monotonic()
        body = parse(CompatBody, await http.read())
        if body.stream:
            return await self._stream(http, body, received)
        return await self._whole(body, received, listed=True)

    async def _whole(self, body: GenerateBody, received: float, *, listed: bool) -> web.StreamResponse:
        self._metrics.request()
        try:
            generation, end = await self.generated(body, received)
        except Exception as error:
            failure = self.failed(error)
            return web.json_response(failure.body(), status=failure.status)
        timings = generation.timings(end)
        self._metrics.success(generation, end, timings)
        reply = whole_reply(generation, end, prefix=_prefix(body), details=body.parameters.details)
        return web.Response(
            body=to_json([reply] if listed else reply),
            headers=whole_headers(generation, end, timings, len(body.inputs)),
            content_type="application/json",
            charset="utf-8",
        )

    async def generated(self, body: GenerateBody, received: float) -> tuple[ServedGeneration, GenerationEnd]:
        """The whole generation for a request received at that time (monotonic). Raises: RefusalError; the backend's."""
        with self._permits:
            generation = ServedGeneration(await validated(body, self._backend), received)
            async with aclosing(generation.follow(self._backend)) as arriving:
                async for _ in arriving:
                    pass
        if (end := generation.end) is None:
            raise RefusalError(INCOMPLETE)
        return generation, end

    async def _stream(self, http: web.Request, body: GenerateBody, received: float) -> web.StreamResponse:
        """TGI has answered 200 before it looks at the limits: every error from here on is an event."""
        self._metrics.request()
        response = web.StreamResponse(headers=stream_headers(len(body.inputs)))
        response.content_type = "text/event-stream"
        response.headers["cache-control"] = "no-cache"
        try:
            await response.prepare(http)
            await self._send_tokens(response, body, received)
        except ConnectionError:
            # The client is gone: nobody reads it.
            self._metrics.failure("disconnected")
        except Exception as error:
            await _send(response, self.failed(error).body())
        return response

    async def _send_tokens(self, response: web.StreamResponse, body: GenerateBody, received: float) -> None:
        if body.parameters.decoder_input_details:
            raise invalid("`decoder_input_details` == true is not supported when streaming tokens")
        prefix, details, sent = _prefix(body), body.parameters.details, 0
        async with aclosing(self.arriving(body, received)) as arriving:
            async for generation, event in arriving:
                sent += 1
                await _send(response, stream_reply(generation, event, sent, prefix=prefix, details=details))

    async def arriving(
        self, body: GenerateBody, received: float
    ) -> AsyncGenerator[tuple[ServedGeneration, TokenEvent], None]:
        """Its tokens as they come, and the generation so far. Raises: as `generated`."""
        with self._permits:
            generation = ServedGeneration(await validated(body, self._backend), received)
            async with aclosing(generation.follow(self._backend)) as arriving:
                async for events in arriving:
                    for event in events:
                        yield generation, event
        if (end := generation.end) is None:
            raise RefusalError(INCOMPLETE_STREAM)
        self._metrics.success(generation, end, generation.timings(end))

    def failed(self, error: Exception) -> ErrorReply:
        """The reply to an error, which is counted."""
        reply = reply_for(error)
        self._metrics.failure(reply.error_type)
        return reply


def _prefix(body: GenerateBody) -> str:
    # At / TGI returns the full text by default for models that the hub calls "text-generation"; for a local model,
    # which ours are, it knows no such thing and leaves it off as everywhere else.
    return body.inputs if body.parameters.return_full_text else ""


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data:" + to_json(event) + b"\n\n")
