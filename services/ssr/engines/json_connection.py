"""The HTTP connection to one engine that is asked for JSON directly, and what its failures mean.

Every step of every path goes through here, so it stands on aiohttp itself: a call costs about a tenth of what it costs
through a client package. A connection that breaks, even in the middle of a body, is `Unavailable`: the engine may be
dying and another replica can answer. A complete reply that is not the API's is `BadReply`. Every reply is bounded, in
bytes and in time; what a packed one unpacks to counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from ssr.core.errors import BadReply, NoEngine, SsrError, TimedOut, Unavailable
from ssr.engines.event_stream import EventParser, begins_events
from ssr.engines.reply_errors import reply_error
from ssr.engines.time_limit import TimeLimit

#: The longest reply that is read. /tokenize answers some 60 bytes a token, /generate some 90.
MAX_REPLY_BYTES = 64 * 2**20
#: Seconds that a connection is kept without a call. vLLM, SGLang and llama-server close theirs after 5, and a request
#: sent in that moment is lost.
_KEEP_ALIVE_S = 3.0
#: With so many streams open a read costs more than what it brings: then each stream is read again only after a pause,
#: of so much for each that is open, up to the most, in seconds; what has come meanwhile is read at once. A pause below
#: the least is none.
_PAUSE_EACH_S, _LEAST_PAUSE_S, _MOST_PAUSE_S = 0.0001, 0.002, 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply of the engine at `url`; the names of `headers` are case-insensitive."""

    url: str
    body: bytes
    headers: Mapping[str, str]

    def document(self) -> Any:
        """The JSON in the body. Raises `BadReply` when it is none, or not all of it."""
        return json_document(self.url, self.body)


def json_document(url: str, body: bytes) -> Any:
    """The JSON in the body of a reply. Raises `BadReply` when it is none, or not all of it."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"{url} answered something that is no JSON: {error}") from error


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
        #: How often the connection broke. The engine may be another one since, with another model.
        self.losses = 0
        self._streams = 0  # open

    async def get(self, path: str) -> Reply:
        """The reply at `path`. Raises the retryable errors, `BadReply`, and those of `reply_error`."""
        return await self._call("GET", path, None)

    async def post(self, path: str, document: Mapping[str, object]) -> Reply:
        """The reply to the JSON of `document` posted at `path`. Raises as `get` does."""
        return await self._call("POST", path, _json_payload(document))

    async def events(self, path: str, document: Mapping[str, object]) -> AsyncGenerator[list[bytes], None]:
        """The data of the server-sent events of the reply to `document` posted at `path`: those that came together.

        An async generator: read it in `aclosing`; closing it before its end closes the connection. A reply in plain
        JSON is one event. Each event must come within `timeout_s`, whatever comments come before it.
        Raises: as `get`.
        """
        url, loop = self.base_url + path, asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        async with self._requested("POST", path, _json_payload(document), deadline) as response:
            parser, size, limit, chunk = EventParser(url), 0, TimeLimit(), b"\n"
            if response.content_type != "text/event-stream":
                with self._failures():
                    async with asyncio.timeout_at(deadline):
                        chunk = await response.content.readany()
                if not begins_events(chunk):
                    yield [chunk + await self._body(url, response, deadline)]
                    return
            self._streams += 1
            try:
                if events := parser.feed(chunk.removeprefix(b"\n")):
                    yield events
                while chunk:
                    began = loop.time()
                    with self._failures():
                        chunk = await limit.within(response.content.readany(), deadline)
                    size = _bounded(url, size + len(chunk))
                    if events := parser.feed(chunk) if chunk else parser.end():
                        yield events
                        deadline = loop.time() + self._timeout_s
                        await self._pause(began)
            finally:
                self._streams -= 1
                limit.close()

    async def _pause(self, began: float) -> None:
        """Between two reads of one stream, of which the last one began then."""
        pause_s = min(_MOST_PAUSE_S, _PAUSE_EACH_S * self._streams) - (asyncio.get_running_loop().time() - began)
        if pause_s >= _LEAST_PAUSE_S:
            await asyncio.sleep(pause_s)

    async def _call(self, method: str, path: str, content: aiohttp.BytesPayload | None) -> Reply:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        async with self._requested(method, path, content, deadline) as response:
            url = self.base_url + path
            return Reply(url, await self._body(url, response, deadline), response.headers)

    @asynccontextmanager
    async def _requested(
        self, method: str, path: str, content: aiohttp.BytesPayload | None, deadline: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response whose body is still to be read; leaving it unread closes the connection."""
        url = self.base_url + path
        with self._failures():
            async with asyncio.timeout_at(deadline):
                response = await self._session.request(method, url, data=content, allow_redirects=False)
        async with response:
            if response.status != 200:
                body = await self._body(url, response, deadline)
                raise reply_error(self.base_url, response.status, body, response.headers.get("retry-after"))
            yield response

    async def _body(self, url: str, response: aiohttp.ClientResponse, deadline: float) -> bytes:
        """All of the body, unless it is too long."""
        chunks: list[bytes] = []
        size = 0
        with self._failures():
            async with asyncio.timeout_at(deadline):
                async for chunk in response.content.iter_any():
                    chunks.append(chunk)
                    size = _bounded(url, size + len(chunk))
        return b"".join(chunks)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """The transport's failures as errors of core."""
        try:
            yield
        except aiohttp.ClientError as error:
            self.losses += 1
            raise _transport_error(self.base_url, error) from error
        except TimeoutError as error:
            raise TimedOut(f"{self.base_url} did not answer within {self._timeout_s:g} s") from error

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            raise RuntimeError(f"the connection to {self.base_url} is not open: use the engine in `async with`")
        return self._opened

    async def __aenter__(self) -> Self:
        self._opened = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=self._phases,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._opened is not None:
            await self._opened.close()


def _json_payload(document: Mapping[str, object]) -> aiohttp.BytesPayload:
    return aiohttp.BytesPayload(json.dumps(document).encode(), content_type="application/json")


def _bounded(url: str, size: int) -> int:
    if size > MAX_REPLY_BYTES:
        raise BadReply(f"{url} answered with more than {MAX_REPLY_BYTES} bytes")
    return size


def _transport_error(url: str, error: aiohttp.ClientError) -> SsrError:
    match error:
        case aiohttp.InvalidURL():
            return BadReply(f"{url} is no URL of an engine: {error!r}")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NoEngine(f"{url} cannot be reached ({error!r}): check that the engine runs there")
        case _:
            return Unavailable(f"{url} closed the connection before its answer was complete ({error!r})")
