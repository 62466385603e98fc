"""One connection of HTTP/1.1, and the one exchange at a time that it carries; the bytes are parsed by llhttp.

A call to an engine is a request of a few kilobytes and, as a rule, a reply that comes in one piece: what is not needed
for that (redirects, cookies, proxies, uploads) is not here, and makes such a call several times as cheap as with a
general client.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: The longest head of a reply that is read, in bytes.
MAX_HEAD_BYTES = 64 * 2**10
#: Bytes of a body that nobody has read: then the other end is not read further, until they are.
_UNREAD_BYTES = 256 * 2**10
#: Of a packed body, so much is unpacked at a time, in bytes.
_UNPACKED_BYTES = 64 * 2**10
_PACKED = ("gzip", "x-gzip", "deflate")


class TransportError(Exception):
    """The connection broke, or what came is no HTTP."""


class Exchange:
    """A reply as it comes. `headers` have lower-case names; the last of several of one name counts.

    One task reads it. Leave it in the end: a reply that is not complete then closes its connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.status = 0  #: 0 as long as the head has not come
        self.headers: dict[str, str] = {}
        self._parts: deque[bytes] = deque()
        self._unread = 0
        self._ended = False
        self._error: TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._unpacker: zlib._Decompress | None = None

    async def head(self) -> None:
        """Wait for status and headers. Raises: TransportError."""
        while not self.status:
            await self._news()
        packing = self.headers.get("content-encoding", "identity").lower()
        if packing in _PACKED:
            self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either format
        elif packing != "identity":
            raise TransportError(f"the reply is packed as {packing}, which was not asked for")

    async def part(self) -> bytes:
        """All that has come of the body and was not read yet; b"" at its end. Raises: TransportError."""
        while True:
            if not self._parts:
                if self._ended:
                    return b""
                await self._news()
            elif self._unpacker is not None:
                if part := self._unpacked(self._unpacker):
                    return part
            else:
                part = self._parts.popleft() if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
                self._read(self._unread)
                return part

    def _unpacked(self, unpacker: zlib._Decompress) -> bytes:
        packed = self._parts.popleft()
        self._read(len(packed))
        try:
            part = unpacker.decompress(packed, _UNPACKED_BYTES)
        except zlib.error as error:
            raise TransportError(f"the reply cannot be unpacked: {error}") from error
        if left := unpacker.unconsumed_tail:
            self._parts.appendleft(left)
            self._unread += len(left)
        return part

    def _read(self, count: int) -> None:
        full = self._unread > _UNREAD_BYTES
        self._unread -= count
        if full and self._unread <= _UNREAD_BYTES:
            self._connection.go_on_reading()

    async def _news(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def leave(self) -> None:
        """Nothing more is read of it."""
        self._connection.left(self)

    @property
    def complete(self) -> bool:
        return self._ended

    @property
    def read_to_its_end(self) -> bool:
        return self._ended and not self._unread

    @property
    def until_closed(self) -> bool:
        """Whether the body ends with the connection."""
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    def came(self, part: bytes) -> bool:
        """A part of the body. Gives whether more of it should be read now."""
        self._parts.append(part)
        self._unread += len(part)
        return self._unread <= _UNREAD_BYTES

    def end(self) -> None:
        self._ended = True

    def fail(self, error: TransportError) -> None:
        if not self._ended:
            self._error = self._error or error
            self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """A connection that is open. `on_free` is called when an exchange is over and another one may begin."""

    def __init__(self, on_free: Callable[[Connection], None]) -> None:
        self._on_free = on_free
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._head_bytes = 0
        self._reusable = True
        self.free_since = 0.0  #: in the loop's clock

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def begin(self, request: bytes) -> Exchange:
        """Send a request; there is no other exchange now."""
        self._exchange = exchange = Exchange(self)
        self._head_bytes = 0
        if self._transport is not None and self.open:
            self._transport.write(request)
        else:
            exchange.fail(TransportError("the connection was closed before the request was sent"))
        return exchange

    def left(self, exchange: Exchange) -> None:
        """Nobody reads the exchange any more."""
        if self._exchange is not exchange:
            return
        self._exchange = None
        if exchange.read_to_its_end and self._reusable and self.open:
            self.free_since = asyncio.get_running_loop().time()
            self._on_free(self)
        else:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def go_on_reading(self) -> None:
        if self.open and self._transport is not None:
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None or exchange.complete:  # nobody asked for this
            self._reusable = False
            self.close()
            return
        if not exchange.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(f"what came is no HTTP reply: {error!r}")
        else:
            if not exchange.status and self._head_bytes > MAX_HEAD_BYTES:
                self._fail(f"the head of the reply is longer than {MAX_HEAD_BYTES} bytes")
        exchange.wake()

    def _fail(self, message: str) -> None:
        self._reusable = False
        if self._exchange is not None:
            self._exchange.fail(TransportError(message))
        self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._reusable = False
        if (exchange := self._exchange) is None:
            return
        if exchange.status and exchange.until_closed and error is None:
            exchange.end()
        exchange.fail(TransportError("the connection was closed before the reply was complete"))
        exchange.wake()

    # What the parser calls. Its head may be that of an interim reply (1xx), behind which the reply's own comes; behind
    # that nothing should.

    def on_message_begin(self) -> None:
        if self._exchange is None or self._exchange.complete:
            self._reusable = False
            self._exchange = None
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._exchange is not None:
            self._exchange.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._exchange is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._exchange.headers.clear()
        else:
            self._exchange.status = status
            self._reusable = self._reusable and self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None and not self._exchange.came(body) and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._exchange is not None and self._exchange.status:
            self._exchange.end()
