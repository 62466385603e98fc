"""The HTTP connection to one engine that is asked for JSON directly, and what its failures mean.

Every step of every path goes through here, so it stands on aiohttp itself: a call costs about a tenth of what it costs
through a client package. Failures mean the same as those of `connection`: a connection that breaks, even in the middle
of a body, is `Unavailable`; a complete reply that is not the API's is `BadReply`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from ssr.core.errors import BadReply, SsrError, TimedOut, Unavailable
from ssr.engines.reply_errors import reply_error

#: The longest reply that is read. /tokenize answers some 60 bytes a token, /generate some 90.
MAX_REPLY_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply of the engine at `url`; the names of `headers` are case-insensitive."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    def document(self) -> Any:
        """The JSON in the body. Raises `BadReply` when it is none, or not all of it."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadReply(f"{self.url} answered something that is no JSON: {error}") from error


class JsonConnection:
    """Kept-alive connections for all calls to the engine at `base_url`; use it as a context manager.

    `timeout_s` bounds a whole call, `connect_timeout_s` the making of its connection. `max_connections` bounds the
    calls at a time; more than that wait inside, unseen, so set it at or above the pool's own bound. `api_key` is the
    only credential ever sent. Nothing comes from the environment (no proxy, no .netrc), redirects are not followed and
    cookies not kept. Cancelling a call closes its connection.
    """

    def __init__(
        self, base_url: str, *, api_key: str | None, timeout_s: float, connect_timeout_s: float, max_connections: int
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._phases = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s)
        self._max_connections = max_connections
        self._headers = {"Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._opened: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> Reply:
        """The reply at `path`. Raises the retryable errors, `BadReply`, and those of `reply_error`."""
        return await self._call("GET", path, None)

    async def post(self, path: str, document: Mapping[str, object]) -> Reply:
        """The reply to the JSON of `document` posted at `path`. Raises as `get` does."""
        content = aiohttp.BytesPayload(json.dumps(document).encode(), content_type="application/json")
        return await self._call("POST", path, content)

    async def _call(self, method: str, path: str, content: aiohttp.BytesPayload | None) -> Reply:
        url = self.base_url + path
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.request(method, url, data=content, allow_redirects=False) as response,
            ):
                body = await _body(url, response)
        except aiohttp.ClientError as error:
            raise _transport_error(self.base_url, error) from error
        except TimeoutError as error:
            raise TimedOut(f"{self.base_url} did not answer within {self._timeout_s:g} s") from error
        if response.status != 200:
            raise reply_error(self.base_url, response.status, body, response.headers.get("retry-after"))
        return Reply(url, body, response.headers)

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            raise RuntimeError(f"the connection to {self.base_url} is not open: use the engine in `async with`")
        return self._opened

    async def __aenter__(self) -> Self:
        self._opened = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=self._phases,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._opened is not None:
            await self._opened.close()


async def _body(url: str, response: aiohttp.ClientResponse) -> bytes:
    """All of the body, unless it is too long; leaving the response then closes its connection."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            raise BadReply(f"{url} answered with more than {MAX_REPLY_BYTES} bytes")
    return b"".join(chunks)


def _transport_error(url: str, error: aiohttp.ClientError) -> SsrError:
    match error:
        case aiohttp.InvalidURL():
            return BadReply(f"{url} is no URL of an engine: {error!r}")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Unavailable(f"{url} cannot be reached ({error!r}): check that the engine runs there")
        case _:
            return Unavailable(f"{url} closed the connection before its answer was complete ({error!r})")
