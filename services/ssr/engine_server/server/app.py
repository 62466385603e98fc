"""The web application: TGI's endpoints over a backend, with TGI's shape for every error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from ssr.engine_server.server.backend import Backend
from ssr.engine_server.server.chatting import Chatting
from ssr.engine_server.server.errors import ErrorReply, reply_for
from ssr.engine_server.server.generating import Generating
from ssr.engine_server.server.inspecting import Inspecting
from ssr.engine_server.server.metrics import ServerMetrics

MAX_BODY_BYTES = 2_000_000  #: TGI's default payload limit

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(backend: Backend) -> web.Application:
    """The application over an entered backend. Run it with `handler_cancellation=True` (see `serving`)."""
    metrics = ServerMetrics()
    app = web.Application(middlewares=[shape_errors], client_max_size=MAX_BODY_BYTES)
    generating = Generating(backend, metrics)
    app.add_routes(generating.routes())
    app.add_routes(Chatting(backend, generating, metrics).routes())
    app.add_routes(Inspecting(backend, metrics).routes())
    app.router.add_route("*", "/v1/{rest:.*}", _no_openai)
    return app


#: The client has closed the connection, as proxies have it in their logs.
_GONE = 499


@web.middleware
async def shape_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error has TGI's shape, those of the web framework too."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        reply = ErrorReply(error.status, error.reason, "validation" if error.status == 413 else "http")
        # Allow, say, has to survive; the headers of the replaced body must not.
        kept = {k: v for k, v in error.headers.items() if k.lower() not in ("content-type", "content-length")}
        return web.json_response(reply.body(), status=reply.status, headers=kept)
    except ConnectionError:
        return web.Response(status=_GONE)  # to nobody
    except Exception as error:
        reply = reply_for(error)
        if reply.error_type == "generation":
            _log.exception("%s %s failed", request.method, request.path)
        return web.json_response(reply.body(), status=reply.status)


async def _no_openai(request: web.Request) -> web.Response:
    message = f"{request.path} is not offered by this engine: use /generate, with a prompt rendered by /chat_tokenize"
    return web.json_response(ErrorReply(404, message, "not_found").body(), status=404)
