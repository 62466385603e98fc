"""The HTTP connection to one engine for client packages that stand on httpx, and what its failures mean.

A connection that breaks, even in the middle of a body, is `Unavailable`: the engine may be dying and another replica
can answer. A complete reply that is not the API's is `BadReply`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from openai import OpenAIError

from ssr.core.errors import BadReply, SsrError, TimedOut, Unavailable
from ssr.engines.reply_errors import reply_error

_BAD_SHAPES = (ValueError, KeyError, IndexError, TypeError, AttributeError)


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
