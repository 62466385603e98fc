"""A gRPC client that breaks the rules: HTTP/2 frames by hand, over a socket."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def grpc_message(body: bytes) -> bytes:
    """A message behind gRPC's five bytes: not compressed, and how long it is."""
    return b"\0" + struct.pack(">I", len(body)) + body


def headers(method: str, **more: str) -> bytes:
    """The headers of a gRPC call, each a literal that is not indexed."""
    named = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "localhost", "te": "trailers"}
    named |= {"content-type": "application/grpc"} | {name.replace("_", "-"): value for name, value in more.items()}
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in named.items()
    )


class RawConnection:
    """A connection that has said hello; `seen` has the types of all frames that came back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.seen: list[int] = []

    async def send(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def ended(self, stream: int = 1) -> bytes:
        """The payloads of a stream's frames up to its end, or to the connection's."""
        payloads = b""
        while True:
            try:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
            except (asyncio.IncompleteReadError, ConnectionError):
                return payloads
            kind, flags, of = head[3], head[4], int.from_bytes(head[5:], "big")
            self.seen.append(kind)
            if kind == SETTINGS and not flags & ACK:
                await self.send(frame(SETTINGS, ACK, 0))
            if of == stream and kind in (DATA, HEADERS, RST_STREAM):
                payloads += payload
                if kind == RST_STREAM or flags & END_STREAM:
                    return payloads


@asynccontextmanager
async def raw_connection(port: int) -> AsyncIterator[RawConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        connection = RawConnection(reader, writer)
        await connection.send(PREFACE, frame(SETTINGS, 0, 0))
        yield connection
    finally:
        writer.close()
