"""The gateway's routes, and what is around all of them: request ids, limits, errors in one form, measurements."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ssr import __version__
from ssr.gateway.batches import BatchesApi
from ssr.gateway.chat import ChatCompletions
from ssr.gateway.errors import RATE_HEADERS, ApiError
from ssr.gateway.files import Files
from ssr.gateway.front import CallerGone, Front
from ssr.gateway.page_api import Page
from ssr.gateway.responses import Responses

_log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
#: Where files come, and what a form has beside the file.
_UPLOADS, _FORM_BYTES = "/v1/files", 64 * 1024
#: nginx's status for a caller that went away; nobody receives it.
_CALLER_GONE = 499


def gateway_app(front: Front) -> ASGIApp:
    """The whole gateway as an ASGI application."""
    batches, files = BatchesApi(front), Files(front)
    chat, responses = ChatCompletions(front), Responses(front)

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": front.models.objects()})

    async def model(request: Request) -> Response:
        return JSONResponse(front.models.get(request.path_params["name"]).object())

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    routes = [
        Route("/v1/chat/completions", _endpoint(chat.create), methods=["POST"]),  # routes are tried in their order
        Route("/health", health),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/v1/responses", _endpoint(responses.create), methods=["POST"]),
        Route("/v1/responses/{id}", _endpoint(responses.get)),
        Route("/v1/responses/{id}", _endpoint(responses.delete), methods=["DELETE"]),
        Route("/v1/responses/{id}/cancel", _endpoint(responses.cancel, bodiless=True), methods=["POST"]),
    ]
    routes += [
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
    if front.settings.ui:
        page = Page(front)
        routes += [
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
    handlers: Any = {ApiError: _answer, HTTPException: _answer_http, CallerGone: _answer_nobody, Exception: _answer_bug}
    app: ASGIApp = Starlette(routes=routes, exception_handlers=handlers)
    if front.settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=front.settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "x-ssr-job-id", "retry-after", "retry-after-ms", *RATE_HEADERS],
        )
    return RequestEdge(app, front)


def _endpoint(handler: Any, *, bodiless: bool = False) -> Any:
    """A handler of JSON whose reply may be any ASGI application; `bodiless`: a POST may come without a body.

    A web page of another origin cannot send this content type without being asked for its origin first.
    """

    async def endpoint(request: Request) -> Any:
        empty = bodiless and request.headers.get("content-length", "0") == "0"
        kind = request.headers.get("content-type", "").partition(";")[0]
        if request.method == "POST" and not empty and kind != "application/json":
            raise ApiError(415, "send the header Content-Type: application/json", code="unsupported_media_type")
        return await handler(request)

    endpoint.__name__ = handler.__qualname__
    return endpoint


class RequestEdge:
    """Gives every reply its request id, keeps bodies small, and measures."""

    def __init__(self, app: ASGIApp, front: Front) -> None:
        self._app, self._front, self._metrics = app, front, front.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        most = self._most_bytes(scope)
        begun, status, received = time.perf_counter(), 500, 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise self._front.too_large(most)
            return message

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive_some, send_named)
        finally:
            self._metrics.in_flight.dec()
            name = getattr(scope.get("endpoint"), "__name__", "none")
            self._metrics.requests.labels(name, str(status)).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - begun)

    def _most_bytes(self, scope: Scope) -> int:
        settings = self._front.settings
        return settings.max_file_bytes + _FORM_BYTES if scope["path"] == _UPLOADS else settings.max_body_bytes


async def _answer(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, headers=dict(error.headers))


async def _answer_http(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, or no such method for it."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    api_error = ApiError(error.status_code, message, code="unknown_url" if error.status_code == 404 else None)
    return JSONResponse(api_error.body(), error.status_code, headers=dict(error.headers or {}))


async def _answer_nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=_CALLER_GONE)


async def _answer_bug(request: Request, error: Exception) -> Response:
    body = ApiError(500, "internal error; the gateway's log has the details", "server_error", None, "internal_error")
    return JSONResponse(body.body(), 500)
