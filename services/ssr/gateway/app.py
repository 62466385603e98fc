"""The gateway's routes, and what is around all of them: request ids, limits, errors in one form, measurements."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ssr import __version__
from ssr.gateway.batches import BatchesApi
from ssr.gateway.chat import ChatCompletions
from ssr.gateway.errors import RATE_HEADERS, ApiError
from ssr.gateway.files import Files
from ssr.gateway.gateway import Gateway
from ssr.gateway.page_api import Page
from ssr.gateway.replies import JsonReply, error_reply
from ssr.gateway.responses import Responses

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
#: Where files come, and what a form has beside the file.
_UPLOADS, _FORM_BYTES = "/v1/files", 64 * 1024


def gateway_app(gateway: Gateway) -> ASGIApp:
    """The whole gateway as an ASGI application."""
    routes = [*_openai_routes(gateway), *(_page_routes(Page(gateway)) if gateway.settings.ui else ())]
    return RequestEdge(Endpoints(routes), gateway, _of_origins(gateway.settings.cors_origins))


def _openai_routes(gateway: Gateway) -> list[Route]:
    batches, files = BatchesApi(gateway), Files(gateway)
    chat, responses = ChatCompletions(gateway), Responses(gateway)

    async def models(request: Request) -> Response:
        return JsonReply({"object": "list", "data": gateway.models.objects()})

    async def model(request: Request) -> Response:
        return JsonReply(gateway.models.get(request.path_params["name"]).object())

    async def health(request: Request) -> Response:
        return JsonReply({"status": "ok", "version": __version__})

    return [
        Route("/v1/chat/completions", _endpoint(chat.create), methods=["POST"]),
        Route("/health", health),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/v1/responses", _endpoint(responses.create), methods=["POST"]),
        Route("/v1/responses/{id}", _endpoint(responses.get)),
        Route("/v1/responses/{id}", _endpoint(responses.delete), methods=["DELETE"]),
        Route("/v1/responses/{id}/cancel", _endpoint(responses.cancel, bodiless=True), methods=["POST"]),
        Route(_UPLOADS, files.create, methods=["POST"]),
        Route(_UPLOADS, files.list),
        Route("/v1/files/{id}", files.get),
        Route("/v1/files/{id}", files.delete, methods=["DELETE"]),
        Route("/v1/files/{id}/content", files.content),
        Route("/v1/batches", _endpoint(batches.create), methods=["POST"]),
        Route("/v1/batches", batches.list),
        Route("/v1/batches/{id}", batches.get),
        Route("/v1/batches/{id}/cancel", _endpoint(batches.cancel, bodiless=True), methods=["POST"]),
    ]


def _page_routes(page: Page) -> list[Route]:
    return [
        Route("/ui", page.enter),
        Route("/ui/api/info", page.info),
        Route("/ui/api/pools", page.pools),
        Route("/ui/api/jobs", page.jobs),
        Route("/ui/api/jobs", _endpoint(page.submit), methods=["POST"]),
        Route("/ui/api/jobs/{id}", page.job),
        Route("/ui/api/jobs/{id}/cancel", _endpoint(page.cancel), methods=["POST"]),
        Route("/ui/api/jobs/{id}/events", _endpoint(page.events)),
        Route("/ui/{file:path}", page.file),
    ]


def _of_origins(origins: Sequence[str]) -> Callable[[ASGIApp], ASGIApp]:
    """What lets web pages of these origins read an application's replies."""
    if not origins:
        return lambda app: app
    return partial(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["x-request-id", "x-ssr-job-id", "retry-after", "retry-after-ms", *RATE_HEADERS],
    )


def _endpoint(handler: Any, *, bodiless: bool = False) -> Any:
    """A handler of JSON; `bodiless`: a POST may come without a body.

    A web page of another origin cannot send this content type without being asked for its origin first.
    """

    async def endpoint(request: Request) -> Any:
        empty = bodiless and request.headers.get("content-length", "0") == "0"
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and not empty and kind != "application/json":
            raise ApiError(415, "send the header Content-Type: application/json", code="unsupported_media_type")
        return await handler(request)

    endpoint.__qualname__ = handler.__qualname__
    return endpoint


class Endpoints:
    """Has each request answered by the handler of its route, whose reply may be any ASGI application."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._router = Router(routes)
        #: Those whose paths have no parameters need no search.
        self._handlers = {
            (method, route.path): route.endpoint
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # Starlette then raises what is wrong with a path or a form
        handler = self._handlers.get((scope["method"], scope["path"]))
        if handler is None:
            await self._router(scope, receive, send)
            return
        scope["endpoint"] = handler
        reply = await handler(Request(scope, receive))
        await reply(scope, receive, send)


class RequestEdge:
    """Gives every reply its request id, keeps bodies small, answers errors, and measures.

    `shown`: what all replies go through, those of errors too.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway, shown: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app, self._shown, self._gateway, self._metrics = shown(app), shown, gateway, gateway.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        request_id, most = _request_id(scope), self._most_bytes(scope)
        begun, status, received = time.perf_counter(), 0, 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise self._gateway.too_large(most)
            return message

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive_some, send_named)
        except Exception as error:
            if status:  # the reply has begun: all that can be done is to break it off
                raise
            await self._shown(error_reply(scope, error))(scope, receive_some, send_named)
        finally:
            self._metrics.in_flight.dec()
            name = getattr(scope.get("endpoint"), "__qualname__", "none").rpartition("<locals>.")[2]
            self._metrics.requests.labels(name, str(status or 500)).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - begun)

    def _most_bytes(self, scope: Scope) -> int:
        settings = self._gateway.settings
        return settings.max_file_bytes + _FORM_BYTES if scope["path"] == _UPLOADS else settings.max_body_bytes


def _request_id(scope: Scope) -> bytes:
    """The one that the caller gives, or one of ours."""
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(16)}".encode()
