"""What goes wrong, as OpenAI's API says it: {"error": {message, type, param, code}} and a status."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ssr.core import errors
from ssr.core.allowance import Allowance

#: Longest pause that clients obey (openai-python: 120 s).
_MAX_RETRY_AFTER_S = 120.0


#: What OpenAI's API calls what is limited; of paths it knows nothing.
_LIMITED = {"jobs": "requests", "tokens": "tokens"}
#: All that `rate_headers` may give.
RATE_HEADERS = tuple(
    f"x-ratelimit-{name}-{kind}" for kind in _LIMITED.values() for name in ("limit", "remaining", "reset")
)
_NOTHING_LEFT = {"x-ratelimit-remaining-requests": "0"}


class ApiError(Exception):
    """An error as a caller sees it; `headers` go with it, where it is the whole reply."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.type, self.param, self.code = status, message, kind, param, code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class CallerGone(Exception):
    """Nobody is there to answer."""


def refused(param: str, message: str, code: str = "invalid_value") -> ApiError:
    """A 400 about one parameter."""
    return ApiError(400, f"{param}: {message}", param=param, code=code)


def unsupported(param: str, message: str = "is not supported") -> ApiError:
    return refused(param, message, "unsupported_parameter")


#: Most special first: status, type and code of our errors.
_KINDS: tuple[tuple[type[errors.SsrError], int, str, str], ...] = (
    (errors.InvalidRequest, 400, "invalid_request_error", "invalid_value"),
    (errors.ContextFull, 400, "invalid_request_error", "context_length_exceeded"),
    (errors.Unauthenticated, 401, "authentication_error", "invalid_api_key"),
    (errors.PermissionDenied, 403, "permission_error", "permission_denied"),
    (errors.NotFound, 404, "invalid_request_error", "not_found"),
    (errors.Conflict, 409, "invalid_request_error", "idempotency_key_in_use"),
    (errors.Overloaded, 429, "rate_limit_error", "rate_limit_exceeded"),
    (errors.TimedOut, 504, "server_error", "timeout"),
    (errors.Retryable, 503, "server_error", "unavailable"),
    (errors.SsrError, 500, "server_error", "internal_error"),
)


def from_ssr(error: errors.SsrError, params: Mapping[str, str]) -> ApiError:
    """`params`: what fields of the gRPC API are called in the request, where that is something else."""
    _, status, kind, code = next(entry for entry in _KINDS if isinstance(error, entry[0]))
    param = None
    if isinstance(error, errors.InvalidRequest):
        param = params.get(error.field, error.field)
    return ApiError(status, error.public, kind, param, code, _headers(error))


def _headers(error: errors.SsrError) -> dict[str, str]:
    if not isinstance(error, errors.Retryable):
        return {}
    delay_s = min(max(error.delay_s, 0.001), _MAX_RETRY_AFTER_S)
    headers = {"retry-after": str(math.ceil(delay_s)), "retry-after-ms": str(math.ceil(delay_s * 1000))}
    if isinstance(error, errors.Overloaded):
        headers |= _NOTHING_LEFT | {"x-ratelimit-reset-requests": f"{delay_s:.3f}s"}
        headers |= rate_headers([error.used_up] if error.used_up is not None else [])
    return headers


def rate_headers(allowances: Sequence[Allowance]) -> dict[str, str]:
    """Of requests and of tokens the limit that there is least left of."""
    headers: dict[str, str] = {}
    for allowance in sorted(allowances, key=lambda one: one.remaining, reverse=True):
        if kind := _LIMITED.get(allowance.what):
            headers[f"x-ratelimit-limit-{kind}"] = str(allowance.limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(allowance.remaining)
            headers[f"x-ratelimit-reset-{kind}"] = f"{allowance.reset_s:.3f}s"
    return headers
