"""A caller over HTTP that costs little itself: what is measured is the gateway, not a client library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httptools
import orjson

from ssr.core.errors import Unavailable


class HttpCaller(asyncio.Protocol):
    """One connection, for one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._ended: asyncio.Future[int] | None = None
        self._read: Callable[[bytes], None] = lambda piece: None

    async def post(self, path: str, body: object, read: Callable[[bytes], None]) -> int:
        """The status of the reply, when it is whole; `read` has had its body, as it came.

        Raises: Unavailable where the connection closes before.
        """
        assert self._transport is not None
        content = orjson.dumps(body)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\n\r\n"
        )
        self._read, self._ended = read, asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        return await self._ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(Unavailable(f"the gateway closed the connection: {exc or 'no reason'}"))

    # What the parser calls.

    def on_body(self, body: bytes) -> None:
        self._read(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(status)


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[HttpCaller]:
    """A connection to a port of this machine, until the block ends."""
    transport, caller = await asyncio.get_running_loop().create_connection(HttpCaller, "127.0.0.1", port)
    try:
        yield caller
    finally:
        transport.close()
