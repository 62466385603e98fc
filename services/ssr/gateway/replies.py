"""What is sent: JSON, server-sent events of it, and errors in one form."""

from __future__ import annotations

import logging
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from ssr.gateway.errors import ApiError, CallerGone

_log = logging.getLogger(__name__)

#: nginx's status for a caller that went away; nobody receives it.
_CALLER_GONE = 499
#: The end of a stream.
DONE = b"data: [DONE]\n\n"


class JsonReply(Response):
    """A value as JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return to_json(content)


def data(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + to_json(value) + b"\n\n"


def to_json(value: object) -> bytes:
    """As JSON in UTF-8; dataclasses are objects of their fields."""
    return orjson.dumps(value)


def error_reply(scope: Scope, error: Exception) -> Response:
    """What a caller gets of an error; one that should not have been is logged."""
    match error:
        case ApiError():
            return _reply(error)
        case CallerGone() | ClientDisconnect():
            return Response(status_code=_CALLER_GONE)
        case HTTPException():  # the router's: no such path, or no such method for it
            code = "unknown_url" if error.status_code == HTTPStatus.NOT_FOUND else None
            message = f"{scope['method']} {scope['path']}: {error.detail}"
            return _reply(ApiError(error.status_code, message, code=code, headers=error.headers or {}))
        case _:
            _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            message = "internal error; the gateway's log has the details"
            return _reply(ApiError(500, message, "server_error", None, "internal_error"))


def _reply(error: ApiError) -> Response:
    return JsonReply(error.body(), error.status, headers=error.headers)
