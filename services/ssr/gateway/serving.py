"""An ASGI application over HTTP or HTTPS, as long as a block runs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ssr.core.errors import Unavailable
from ssr.runtime.background import beside
from ssr.runtime.rpc.changes import changes
from ssr.runtime.rpc.tls import Pem, Tls, read_pem
from ssr.runtime.settings import TlsSettings

#: Connections that wait to be taken.
_BACKLOG = 4096
#: Seconds that an idle connection is kept: longer than proxies keep theirs, so that they close first.
_KEEP_ALIVE_S = 75


class _Protocol(HttpToolsProtocol):
    """HTTP whose replies begin in one piece."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, _HeadWithBody(transport, self.loop)))


class _HeadWithBody:
    """A transport that sends a reply's head with what is written right behind it.

    uvicorn writes them one by one: two packets, and a caller that is woken up for the head alone.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        if self._head:
            piece, self._head = self._head + piece, b""
        elif piece.startswith(b"HTTP/"):
            self._head = piece
            self._loop.call_soon(self._flush)
            return
        self._transport.write(piece)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class _Server(uvicorn.Server):
    """Signals are the process's own business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, *, grace_s: float, tls: TlsSettings | None = None
) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port (`port` 0 picks a free one). Requests in hand then have `grace_s`.

    Raises: Unavailable when the address cannot be bound; InvalidRequest naming a file of `tls` that cannot be used.
    """
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(_tls_context(tls)) if tls is not None else None
        listening = _listen(host, port)
        config = uvicorn.Config(
            app,
            http=_Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="none",
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )
        config.load()
        config.ssl = context
        server = _Server(config)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it reports every start and end
        running = asyncio.create_task(server.serve([listening]), name="http")
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            await asyncio.shield(running)  # a cancelled owner still wants the orderly end


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Unavailable(f"cannot listen on {host}:{port}: {reason}") from error


@asynccontextmanager
async def _tls_context(settings: TlsSettings) -> AsyncIterator[ssl.SSLContext]:
    """For new connections, with the certificate that is in the files by then."""
    files = Tls(settings.clients, settings.certificate, settings.key)
    read = partial(read_pem, files, "tls.clients")
    pem = await asyncio.to_thread(read)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if settings.clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    _load(context, settings, pem)

    async def follow() -> None:
        async with aclosing(changes(read, pem, "tls")) as renewals:
            async for renewed in renewals:
                _load(context, settings, renewed)

    async with beside(follow(), "certificates"):
        yield context


def _load(context: ssl.SSLContext, settings: TlsSettings, pem: Pem) -> None:
    context.load_cert_chain(settings.certificate, settings.key)
    if pem.authority is not None:
        context.load_verify_locations(cadata=pem.authority.decode("ascii", "ignore"))
