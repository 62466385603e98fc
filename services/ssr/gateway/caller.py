"""Who sends a request, and which try of it this is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from ssr.gateway.errors import ApiError

_MAX_KEY_CHARS = 1024
_API_KEY = re.compile(rb"[!-~]*")


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """`api_key`: "" for none; `retry`: the client calls this a retry; `idempotency_key`: "" for none."""

    api_key: str
    idempotency_key: str = ""
    retry: bool = False

    @classmethod
    def of(cls, request: Request) -> ApiCaller:
        """Raises: ApiError for headers that cannot be read."""
        headers = dict(request.scope["headers"])
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if len(key) > _MAX_KEY_CHARS:
            raise ApiError(400, f"Idempotency-Key has {len(key)} characters; at most {_MAX_KEY_CHARS} are allowed")
        scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
        api_key = credentials.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        if not _API_KEY.fullmatch(api_key):
            message = "the API key has spaces or characters beyond ASCII"
            raise ApiError(401, message, "authentication_error", None, "invalid_api_key")
        retry = headers.get(b"x-stainless-retry-count", b"0").lstrip(b"0").isdigit()
        return cls(api_key.decode(), key, retry)
