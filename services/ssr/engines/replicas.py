"""Where an engine's replicas are: fixed URLs, the addresses behind a DNS name, or the URLs in a file."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ssr.core.errors import InvalidRequest, Unavailable

_LOOKUP_TIMEOUT_S = 5.0
_HTTP = ("http", "https")
#: The resolver's answers that mean "the name stands for no address now", as a headless service without ready pods does.
_NO_ADDRESS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class Resolver(Protocol):
    """Reports the replicas' base URLs, as they are now."""

    @property
    def changes(self) -> bool:
        """Whether another call can give another answer."""
        ...

    async def resolve(self) -> Sequence[str]:
        """The base URLs, without doubles. Raises `Unavailable` when they cannot be reported now."""
        ...


class FixedReplicas:
    """The replicas at `urls`."""

    changes = False

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(dict.fromkeys(urls))

    async def resolve(self) -> Sequence[str]:
        return self._urls


class DnsReplicas:
    """One replica at `port` of every address of `host`, the name of a headless Kubernetes service."""

    changes = True

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def resolve(self) -> Sequence[str]:
        """See `Resolver.resolve`; a name without addresses is no error, but no replica."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise Unavailable(f"DNS did not resolve {self._host} within {_LOOKUP_TIMEOUT_S:g} s") from error
        except socket.gaierror as error:
            if error.errno in _NO_ADDRESS:
                return ()
            raise Unavailable(f"DNS cannot resolve {self._host}: {error}") from error
        return sorted({_url(str(address[0]), self._port) for *_, address in found})


class FileReplicas:
    """The replicas whose URLs a file holds, one a line; for whoever starts and stops engines without Kubernetes."""

    changes = True

    def __init__(self, path: Path) -> None:
        self._path = path

    async def resolve(self) -> Sequence[str]:
        """See `Resolver.resolve`; replace the file in one step (rename), or half of it may be read."""
        try:
            lines = (await asyncio.to_thread(self._path.read_text)).split()
        except OSError as error:
            raise Unavailable(f"cannot read the engine's replicas: {error}") from error
        return tuple(dict.fromkeys(line.rstrip("/") for line in lines if urlsplit(line).scheme in _HTTP))


class CombinedReplicas:
    """The replicas of several resolvers."""

    def __init__(self, resolvers: Sequence[Resolver]) -> None:
        self._resolvers = tuple(resolvers)

    @property
    def changes(self) -> bool:
        return any(resolver.changes for resolver in self._resolvers)

    async def resolve(self) -> Sequence[str]:
        found = await asyncio.gather(*(resolver.resolve() for resolver in self._resolvers))
        return tuple(dict.fromkeys(url for urls in found for url in urls))


def resolver_of(urls: Sequence[str]) -> Resolver:
    """The resolver of a setting: URLs of http(s), dns and file in any mixture. Raises `InvalidRequest`."""
    fixed = [url.rstrip("/") for url in urls if urlsplit(url).scheme in _HTTP]
    resolvers: list[Resolver] = [FixedReplicas(fixed)] if fixed else []
    resolvers += [_changing(url) for url in urls if urlsplit(url).scheme not in _HTTP]
    if not resolvers:
        raise InvalidRequest(
            "urls", "is empty: give the engine's URL, or dns://host:port for all replicas of a service"
        )
    return resolvers[0] if len(resolvers) == 1 else CombinedReplicas(resolvers)


def _changing(url: str) -> Resolver:
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FileReplicas(Path(parts.path))
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme != "dns" or not host or not port or parts.path.strip("/"):
        raise InvalidRequest("urls", f"{url!r} is neither http(s)://host:port, dns://host:port nor file:///path")
    return DnsReplicas(host, port)


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
