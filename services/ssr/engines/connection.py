"""The HTTP connection to one engine, and what its failures mean.

Failures are told apart by HTTP status, then by the structured error in the body, never by the wording of a message.
A connection that breaks, even in the middle of a body, is `Unavailable`: the engine may be dying and another replica
can answer. A complete reply that is not the API's is `BadReply`: it would be the same on every replica.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from openai import OpenAIError

from ssr.core.errors import (
    BadReply,
    CapabilityMissing,
    InvalidRequest,
    NotFound,
    Overloaded,
    SsrError,
    TimedOut,
    Unavailable,
)

_BAD_SHAPES = (ValueError, KeyError, IndexError, TypeError, AttributeError)
_QUOTED = re.compile(r"`(\w+)`")
#: An engine's name for a field of the request -> ours.
_FIELDS = {
    "inputs": "prompt",
    "input_tokens": "prompt",
    "exceed_context_size_error": "prompt",
    "max_new_tokens": "max_tokens",
    "top_n_tokens": "top_n",
    "logprobs": "top_n",
}


class EngineConnection:
    """One HTTP client for all calls to the engine at `base_url`.

    `timeout_s` bounds a whole call, `connect_timeout_s` the making of its connection. `max_connections` bounds the
    calls at a time; more than that wait inside the client, unseen, so set it at or above the pool's own bound.
    `api_key` is the only credential ever sent: whatever a client library finds in the environment is dropped.
    """

    def __init__(
        self, base_url: str, *, api_key: str | None, timeout_s: float, connect_timeout_s: float, max_connections: int
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout_s = timeout_s
        self.phases = httpx2.Timeout(None, connect=connect_timeout_s)
        self._authorization = f"Bearer {api_key}" if api_key else None
        self.client = httpx2.AsyncClient(
            timeout=self.phases,
            limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            event_hooks={"request": [self._authorize]},
            trust_env=not _is_loopback(self.base_url),  # a proxy from the environment cannot reach this machine
        )

    async def _authorize(self, request: httpx2.Request) -> None:
        request.headers.pop("authorization", None)
        if self._authorization:
            request.headers["authorization"] = self._authorization

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Runs one call and the reading of its reply: within `timeout_s`, its failures as errors of core."""
        try:
            async with asyncio.timeout(self.timeout_s):
                yield
        except (httpx2.HTTPError, httpx2.InvalidURL, OpenAIError) as error:
            raise _call_error(self.base_url, error) from error
        except TimeoutError as error:
            raise TimedOut(f"{self.base_url} did not answer within {self.timeout_s:g} s") from error
        except _BAD_SHAPES as error:
            raise BadReply(f"{self.base_url} answered something that is not its API: {error!r}") from error

    async def get(self, path: str) -> Any:
        """The JSON document at `path`."""
        async with self.call():
            response = await self.client.get(self.base_url + path)
            return response.raise_for_status().json()

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """The JSON reply to `body` posted at `path`."""
        async with self.call():
            response = await self.client.post(self.base_url + path, json=dict(body))
            return response.raise_for_status().json()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.aclose()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _call_error(url: str, error: Exception) -> SsrError:
    """What a failure of a client library means; the libraries wrap the reply or the transport's own failure."""
    for cause in _chain(error):
        response = getattr(cause, "response", None)
        if isinstance(response, httpx2.Response):
            return reply_error(url, response.status_code, response.content, response.headers.get("retry-after"))
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
            return Unavailable(f"{url} cannot be reached ({cause!r}): check that the engine runs there")
        if isinstance(cause, httpx2.TimeoutException):
            return TimedOut(f"{url} did not answer in time ({cause!r})")
        if isinstance(cause, httpx2.NetworkError | httpx2.RemoteProtocolError | httpx2.ProxyError):
            return Unavailable(f"{url} closed the connection before its answer was complete ({cause!r})")
    return BadReply(f"{url} answered something that is not its API: {error!r}")


def reply_error(url: str, status: int, body: bytes, retry_after: str | None = None) -> SsrError:
    """What an HTTP error reply means. `body` is TGI's {error, error_type} or OpenAI's {error: {message, ...}}."""
    message, kind, field = _described(body)
    said = f"{url} answered {status}: {message or 'no explanation'}"
    if status == 429 or kind == "overloaded":
        return Overloaded(said, _seconds(retry_after))
    if status in (408, 504):
        return TimedOut(said)
    if status in (401, 403):
        return CapabilityMissing(f"{said} (set the engine's api_key to one it accepts)")
    if status in (404, 405):
        return NotFound(f"{said} (check the engine's URL, its kind and the model's name)")
    if status == 501:
        return CapabilityMissing(said)
    if status == 424 or status >= 500:
        return Unavailable(said)
    if status in (400, 413, 422):
        return InvalidRequest(field, said)
    return BadReply(said)


def _described(body: bytes) -> tuple[str, str, str]:
    """The message, the kind and the field (in our words, "request" when it does not tell) of an error's body."""
    text = body.decode(errors="replace")
    try:
        document = json.loads(text)
    except ValueError:
        return text[:200], "", "request"
    if not isinstance(document, dict):
        return text[:200], "", "request"
    error = document.get("error")
    if isinstance(error, dict):  # OpenAI's shape; older vLLM has it without the envelope
        document, error = error, error.get("message")
    message = str(error or document.get("message") or text)[:1000]
    kind = str(document.get("error_type") or document.get("type") or "")
    quoted = _QUOTED.search(message)
    named = str(document.get("param") or (quoted[1] if quoted else kind))
    return message, kind, _FIELDS.get(named, named if quoted or document.get("param") else "request")


def _seconds(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return 1.0
