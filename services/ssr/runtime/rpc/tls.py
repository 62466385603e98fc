"""TLS for gRPC: certificates from PEM files, checked when they are read, and read again when they change."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from ssr.core.errors import InvalidRequest
from ssr.runtime.background import beside
from ssr.runtime.rpc.changes import changes

if TYPE_CHECKING:  # clients need no settings
    from ssr.runtime.settings import TlsSettings


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of one end of a TLS connection.

    `authority`: who must have signed the other end's certificate; None: for a client the public authorities that gRPC
    brings (or those of the file that GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names), for a server nobody: it asks for none.
    `certificate` (with its chain) and `key` are this end's own; a client needs them only where the server asks.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Pem:
    """What is in the files of a `Tls`."""

    authority: bytes | None
    certificate: bytes | None
    key: bytes | None = field(repr=False)


def client_end(settings: TlsSettings | None) -> Tls | None:
    """How a service with these settings calls others."""
    return None if settings is None else Tls(settings.authority, settings.certificate, settings.key)


def channel_credentials(pem: Pem) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)


@asynccontextmanager
async def server_credentials(settings: TlsSettings) -> AsyncIterator[grpc.ServerCredentials]:
    """For a server that runs within the block. Every new connection gets the certificate that is in the files by then.

    Raises: InvalidRequest as `read_pem`.
    """
    files = Tls(settings.clients, settings.certificate, settings.key)
    read = partial(read_pem, files, "tls.clients")
    pem = await asyncio.to_thread(read)
    served = _Served(pem)
    credentials = grpc.dynamic_ssl_server_credentials(
        served.configuration,
        served.fetch,  # type: ignore[arg-type]  # the stubs leave out that it may give None
        require_client_authentication=settings.clients is not None,
    )
    async with beside(_serve_changes(served, read, pem), "certificates"):
        yield credentials


class _Served:
    """What gRPC asks, before each handshake and from a thread of its own: the configuration, None while it is the same.

    Only the loop writes `configuration`, and only `fetch` `_fetched`.
    """

    def __init__(self, pem: Pem) -> None:
        self.configuration = self._fetched = _configuration(pem)

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        newest = self.configuration
        if newest is self._fetched:
            return None
        self._fetched = newest
        return newest


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    assert pem.key is not None
    assert pem.certificate is not None
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.authority)


async def _serve_changes(served: _Served, read: Callable[[], Pem], pem: Pem) -> None:
    async with aclosing(changes(read, pem, "tls")) as renewals:
        async for renewed in renewals:
            served.configuration = _configuration(renewed)


def read_pem(files: Tls, authority_field: str = "tls.authority") -> Pem:
    """The files' contents, all of one moment. Blocks.

    Raises: InvalidRequest naming the setting whose file is missing, cannot be read, is not PEM or does not fit.
    """
    pem = _contents(files, authority_field)
    while True:
        problem = None
        try:
            _check(files, pem, authority_field)
        except InvalidRequest as error:
            problem = error
        read, pem = pem, _contents(files, authority_field)
        if pem != read:  # they are being replaced just now
            continue
        if problem is not None:
            raise problem
        return pem


def _contents(files: Tls, authority_field: str) -> Pem:
    if (files.certificate is None) != (files.key is None):
        missing, given = ("key", "certificate") if files.key is None else ("certificate", "key")
        raise InvalidRequest(f"tls.{missing}", f"is needed beside tls.{given}")
    return Pem(
        _content(authority_field, files.authority),
        _content("tls.certificate", files.certificate),
        _content("tls.key", files.key),
    )


def _content(name: str, file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise InvalidRequest(name, f"{file} cannot be read: {error.strerror or error}") from None


def _check(files: Tls, pem: Pem, authority_field: str) -> None:
    _check_certificates(authority_field, files.authority, pem.authority)
    _check_certificates("tls.certificate", files.certificate, pem.certificate)
    if files.certificate is None or files.key is None:
        return

    def no_password() -> str:  # OpenSSL would ask for it on the terminal
        raise InvalidRequest("tls.key", f"{files.key} is encrypted; give the key as it is")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidRequest("tls.key", f"{files.key} is not the key of {files.certificate}") from None
        raise InvalidRequest("tls.key", f"{files.key} holds no private key in PEM form that can be used") from None
    except OSError as error:
        raise InvalidRequest("tls.key", f"{files.key} cannot be read: {error.strerror or error}") from None


def _check_certificates(name: str, file: Path | None, content: bytes | None) -> None:
    if content is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise InvalidRequest(name, f"{file} holds no certificates in PEM form") from None
