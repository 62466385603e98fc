"""An exchange's bytes as they come: how much of it waits unread, and when nothing more of it comes."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from ssr.engines.http_exchange import Connection, TransportError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


class Wire:
    """A transport that notes what is done with it."""

    def __init__(self) -> None:
        self.sent, self.reading, self.closed = b"", True, False

    def write(self, data: bytes) -> None:
        self.sent += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def connected() -> tuple[Connection, Wire, list[Connection]]:
    free: list[Connection] = []
    connection, wire = Connection(free.append), Wire()
    connection.connection_made(cast("asyncio.BaseTransport", wire))
    return connection, wire, free


async def test_a_reader_that_stands_still_holds_the_other_end_back() -> None:
    connection, wire, _ = connected()
    exchange = connection.begin(b"GET")
    connection.data_received(HEAD + b"x" * 200_000)
    assert wire.reading
    connection.data_received(b"x" * 200_000)
    assert not wire.reading
    await exchange.head()
    assert len(await exchange.part()) == 400_000
    assert wire.reading


async def test_a_reply_that_was_not_read_to_its_end_frees_no_connection() -> None:
    connection, wire, free = connected()
    exchange = connection.begin(b"GET")
    connection.data_received(HEAD + b"x" * 1_000_000)
    assert exchange.complete
    exchange.leave()
    assert (wire.closed, free) == (True, [])


async def test_a_reply_that_was_read_frees_its_connection_once() -> None:
    connection, wire, free = connected()
    exchange = connection.begin(b"GET")
    connection.data_received(HEAD + b"x" * 1_000_000)
    await exchange.head()
    assert len(await exchange.part()) == 1_000_000
    assert await exchange.part() == b""
    exchange.leave()
    exchange.leave()
    assert (wire.closed, free) == (False, [connection])


async def test_a_connection_that_closed_before_its_request_fails_it_at_once() -> None:
    connection, wire, _ = connected()
    wire.closed = True
    connection.connection_lost(None)
    exchange = connection.begin(b"GET")
    with pytest.raises(TransportError, match="before the request was sent"):
        await exchange.head()
    assert wire.sent == b""


async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    connection, wire, free = connected()
    exchange = connection.begin(b"GET")
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await exchange.head()
    exchange.leave()
    assert free == [connection]
    connection.data_received(HEAD)
    assert (wire.closed, connection.open) == (True, False)
