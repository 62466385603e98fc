"""Who sends a request, and which try of it this is."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ssr.gateway.errors import ApiError

_MAX_KEY_CHARS = 1024


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """`api_key`: "" for none; `retry`: the client calls this a retry; `idempotency_key`: "" for none."""

    api_key: str
    idempotency_key: str = ""
    retry: bool = False

    @classmethod
    def of(cls, request: Request) -> ApiCaller:
        """Raises: ApiError for headers that cannot be read."""
        headers = request.headers
        key = headers.get("idempotency-key", "")
        if len(key) > _MAX_KEY_CHARS:
            raise ApiError(400, f"Idempotency-Key has {len(key)} characters; at most {_MAX_KEY_CHARS} are allowed")
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        api_key = credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not (api_key.isascii() and (not api_key or api_key.isprintable()) and " " not in api_key):
            raise ApiError(
                401,
                "the API key has spaces or characters beyond ASCII",
                "authentication_error",
                None,
                "invalid_api_key",
            )
        return cls(api_key, key, headers.get("x-stainless-retry-count", "0").lstrip("0").isdigit())
