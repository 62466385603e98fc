"""A proxy before Redis that cuts every connection at the n-th request: a failure at one point of a job's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from ssr.cli.stack.ports import LOOPBACK

_CHUNK_BYTES = 65_536
#: For the reply that is to be lost: a blocking read has none.
_REPLY_LIMIT_S = 0.1
#: What a client says to set a connection up; nothing is lost with it.
_SETTING_UP = frozenset({b"CLIENT", b"HELLO", b"SELECT", b"SUBSCRIBE"})


class Lost(StrEnum):
    """What the cut takes away."""

    REQUEST = "request"  #: Redis never hears of it
    REPLY = "reply"  #: Redis does what it is reported, and nobody knows


class CuttingProxy:
    """Forwards to the Redis at `port`. `heals`: it takes connections again after its cut.

    `cut` is set once the cut was made, `cut_command` is what it took.
    """

    def __init__(self, port: int, *, cut_at: int, lost: Lost, heals: bool) -> None:
        self._port, self._left, self._lost, self._heals = port, cut_at, lost, heals
        self._open: set[asyncio.StreamWriter] = set()
        self.cut = asyncio.Event()
        self.cut_command = ""
        self.own_port = 0

    def url(self, database: int) -> str:
        return f"redis://{LOOPBACK}:{self.own_port}/{database}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        if self.cut.is_set() and not self._heals:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(LOOPBACK, self._port)
        self._open |= {writer, server_writer}
        try:
            async with asyncio.TaskGroup() as group:
                back = group.create_task(_pump(server_reader, writer))
                group.create_task(self._requests(reader, server_reader, server_writer, back))
        except* OSError:
            pass  # the cut, or an end that went first
        finally:
            for end in (writer, server_writer):
                end.transport.abort()
                self._open.discard(end)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        back: asyncio.Task[None],
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            self._left -= _command(chunk) not in _SETTING_UP
            if self._left == 0 and not self.cut.is_set():
                self.cut_command = _command(chunk).decode()
                back.cancel()
                if self._lost is Lost.REPLY:
                    server_writer.write(chunk)
                    with suppress(TimeoutError, RuntimeError):
                        await asyncio.wait_for(server_reader.read(_CHUNK_BYTES), _REPLY_LIMIT_S)
                self._cut_all()
                return
            server_writer.write(chunk)
            await server_writer.drain()
        server_writer.transport.abort()

    def _cut_all(self) -> None:
        self.cut.set()
        for end in self._open:
            end.transport.abort()


@asynccontextmanager
async def running_proxy(port: int, *, cut_at: int, lost: Lost, heals: bool) -> AsyncIterator[CuttingProxy]:
    """The proxy before the Redis at `port`, until the block ends."""
    proxy = CuttingProxy(port, cut_at=cut_at, lost=lost, heals=heals)
    connections: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(proxy.serve(reader, writer))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    proxy.own_port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.transport.abort()


def _command(chunk: bytes) -> bytes:
    """The name of the first command of a request (RESP: *n, $length, name, ...)."""
    lines = chunk.split(b"\r\n", 3)
    return lines[2].upper() if len(lines) > 2 else b""
