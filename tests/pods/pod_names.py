"""A name server for the Services of one namespace: the addresses of their ready pods, and nothing else."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

_A, _IN, _TTL_S = 1, 1, 5
_NO_ERROR, _NO_NAME = 0, 3
#: Answer, authoritative, recursion wanted and to be had.
_FLAGS = 0x8580


class _Answering(asyncio.DatagramProtocol):
    def __init__(self, addresses: Callable[[str], Sequence[str] | None]) -> None:
        self._addresses = addresses
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(answer(data, self._addresses), addr)


def answer(question: bytes, addresses: Callable[[str], Sequence[str] | None]) -> bytes:
    """The reply to a question for a name; `addresses` gives None for names that are not known."""
    labels, place = [], 12
    while length := question[place]:
        labels.append(question[place + 1 : place + 1 + length].decode().lower())
        place += 1 + length
    (kind,) = struct.unpack(">H", question[place + 1 : place + 3])
    found = addresses(".".join(labels))
    given = list(found or ()) if kind == _A else []
    header = struct.pack(
        ">2sHHHHH", question[:2], _FLAGS | (_NO_NAME if found is None else _NO_ERROR), 1, len(given), 0, 0
    )
    records = (b"\xc0\x0c" + struct.pack(">HHIH", _A, _IN, _TTL_S, 4) + socket.inet_aton(one) for one in given)
    return header + question[12 : place + 5] + b"".join(records)


@asynccontextmanager
async def answering(host: str, addresses: Callable[[str], Sequence[str] | None]) -> AsyncIterator[None]:
    """Answer on UDP port 53 of an address until the block ends."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answering(addresses), local_addr=(host, 53))
    try:
        yield
    finally:
        transport.close()
