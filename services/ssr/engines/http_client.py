"""HTTP requests to one server over kept-alive connections: as many at a time as are allowed, the others wait."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from ssr.engines.http_exchange import Connection, Exchange, TransportError

_PORTS = {"http": 80, "https": 443}


class InvalidUrl(Exception):
    """The base URL is none of http or https."""


class CannotConnect(TransportError):
    """Nobody was reached at all."""


class HttpClient:
    """Asks the server at `base_url`, whose path precedes every request's.

    `connect_s` bounds the making of a connection, `keep_s` is how long one is kept without an exchange; both in
    seconds. `headers` go with every request. Nothing comes from the environment. Close it in the end.
    """

    def __init__(
        self, base_url: str, *, max_connections: int, connect_s: float, keep_s: float, headers: Mapping[str, str]
    ) -> None:
        self._base_url, self._connect_s, self._keep_s = base_url, connect_s, keep_s
        self._places = asyncio.Semaphore(max_connections)
        self._headers = dict(headers)
        self._free: list[Connection] = []  # the last one used comes last
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._target: _Target | None = None

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Exchange:
        """The exchange of a request, sent; `body` is JSON. Cancelling it closes the connection.

        Raises: InvalidUrl; CannotConnect.
        """
        target = self._target = self._target or _Target(self._base_url, self._headers)
        await self._places.acquire()
        try:
            connection = self._kept() or await self._connect(target)
        except BaseException:
            self._places.release()
            raise
        return connection.begin(target.request(method, path, body))

    def leave(self, exchange: Exchange) -> None:
        """The exchange is over, or not wanted any more. Once for each."""
        exchange.leave()
        self._places.release()

    def close(self) -> None:
        """Every connection is closed, whatever it does."""
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._free.clear()

    def _kept(self) -> Connection | None:
        """The connection that was free last; the others may age."""
        while self._free:
            if (connection := self._free.pop()).open:
                return connection
            self._open.discard(connection)
        return None

    async def _connect(self, target: _Target) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(self._freed)
        try:
            async with asyncio.timeout(self._connect_s):
                await loop.create_connection(lambda: connection, target.host, target.port, ssl=target.tls)
        except TimeoutError as error:
            raise CannotConnect(f"no connection to {target.address} within {self._connect_s:g} s") from error
        except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
            raise CannotConnect(f"no connection to {target.address}: {error}") from error
        self._open = {other for other in self._open if other.open}
        self._open.add(connection)
        return connection

    def _freed(self, connection: Connection) -> None:
        self._free.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._keep_s, self._close_idle)

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._sweep = loop.time(), None
        kept = [one for one in self._free if one.open and now - one.free_since < self._keep_s]
        for connection in self._free:
            if connection not in kept:
                connection.close()
                self._open.discard(connection)
        self._free = kept
        if kept:
            self._sweep = loop.call_at(kept[0].free_since + self._keep_s, self._close_idle)


class _Target:
    """Where requests go, and what is the same in all of them. Raises: InvalidUrl."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        try:
            url = urlsplit(base_url)
            host, self.port = url.hostname, url.port or _PORTS[url.scheme]
        except (ValueError, KeyError) as error:
            raise InvalidUrl(f"{base_url} is no URL: {error!r}") from error
        if not host:
            raise InvalidUrl(f"{base_url} names no host")
        self.host, self.address = host, url.netloc.rpartition("@")[2]
        self.tls = ssl.create_default_context() if url.scheme == "https" else None
        self._path = url.path.rstrip("/")
        lines = {"Host": self.address, "Accept": "*/*", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        if head.count("\n") != len(lines) or not (head + self._path).isascii() or " " in self._path:
            raise InvalidUrl(f"{base_url}: it, or what goes with it, cannot be sent in a request")
        self._head = head.encode()

    def request(self, method: str, path: str, body: bytes | None) -> bytes:
        line = f"{method} {self._path}{path} HTTP/1.1\r\n".encode()
        if body is None:
            return b"%b%b\r\n" % (line, self._head)
        return b"%b%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            line,
            self._head,
            len(body),
            body,
        )
