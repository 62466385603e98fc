"""A gRPC server with what every service of SSR has: health, reflection, our error codes, an orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ssr.core.errors import Unavailable
from ssr.runtime.rpc.channel import KEEPALIVE
from ssr.runtime.rpc.errors import ErrorInterceptor
from ssr.runtime.rpc.probed_health import CalledHealth, ProbedHealth, serving_probes
from ssr.runtime.rpc.receiving import RECEIVE_S, Decoding, Receiving
from ssr.runtime.rpc.reflection import add_reflection
from ssr.runtime.rpc.tls import server_credentials
from ssr.runtime.settings import ServiceSettings, TlsSettings
from ssr.runtime.telemetry.telemetry import Telemetry

_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

_SERVER_OPTIONS = (
    *KEEPALIVE,
    # Clients may ping this often; our own channels ping every 20 s.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
    # Now and then clients connect anew, and so learn of replicas that were added. Calls in hand are not disturbed.
    ("grpc.max_connection_age_ms", 300_000),
    # Of more than a thousand calls that wait to be read, gRPC drops some at random, with CANCELLED and no reason. They
    # are ours to refuse, with a reason and a time to come back.
    ("grpc.server.max_pending_requests", 50_000),
    ("grpc.server.max_pending_requests_hard_limit", 100_000),
)


@dataclass(frozen=True, slots=True)
class Servicer:
    """One service to offer: its full name ("ssr.v1.DraftingService") and what adds it to a server."""

    name: str
    add_to: Callable[[aio.Server], None]


#: Opened beside a server, with what decides whether calls can be answered.
Readiness = Callable[[Callable[[bool], Awaitable[None]]], AbstractAsyncContextManager[None]]


def running_service(
    settings: ServiceSettings,
    telemetry: Telemetry,
    servicers: Sequence[Servicer],
    *,
    begins: Collection[str] = (),
    drain: Callable[[], Awaitable[None]] | None = None,
    checks: Sequence[aio.ServerInterceptor] = (),
    readiness: Readiness | None = None,
) -> AbstractAsyncContextManager[int]:
    """`running_server` as a service's settings say, and watched; `begins` names the calls that begin a trace."""
    return running_server(
        servicers,
        host=settings.host,
        port=settings.port,
        grace_s=settings.grace_s,
        drain=drain,
        interceptors=telemetry.interceptors(begins, [servicer.name for servicer in servicers]),
        checks=checks,
        tls=settings.tls,
        health_port=settings.health_port,
        readiness=readiness,
    )


@asynccontextmanager
async def running_server(
    servicers: Sequence[Servicer],
    *,
    host: str,
    port: int,
    grace_s: float,
    drain: Callable[[], Awaitable[None]] | None = None,
    interceptors: Sequence[aio.ServerInterceptor] = (),
    checks: Sequence[aio.ServerInterceptor] = (),
    tls: TlsSettings | None = None,
    health_port: int | None = None,
    readiness: Readiness | None = None,
    receive_s: float = RECEIVE_S,
) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port (`port` 0 picks a free one).

    At the end the health turns NOT_SERVING first, then `drain` is awaited, then new calls are refused, and calls in
    flight have `grace_s` seconds. On `health_port` the health alone is served, without TLS, as long as the rest is, and
    at once however busy the process is.
    `interceptors` see how a call was answered; `checks` come before the request is decoded and may raise our errors, as
    the servicer may. A request has to arrive within `receive_s` seconds.

    The health of "" is that of the process. That of each servicer's name is the same, or, where there is one, what
    `readiness` decides beside the server: NOT_SERVING until it says otherwise.

    Raises: Unavailable when an address cannot be bound; InvalidRequest naming a file of `tls` that cannot be used.
    """
    around = [Receiving(receive_s), *interceptors, ErrorInterceptor(), *checks, Decoding()]
    server = aio.server(interceptors=around, options=_SERVER_OPTIONS)
    status = _Health()
    health_pb2_grpc.add_HealthServicer_to_server(status.calls, server)
    names = [servicer.name for servicer in servicers]
    for servicer in servicers:
        servicer.add_to(server)
    add_reflection(server, [*names, health.SERVICE_NAME])
    async with AsyncExitStack() as stack:
        credentials = await stack.enter_async_context(server_credentials(tls)) if tls is not None else None
        bound = _listen(server, f"{host}:{port}", credentials)
        if health_port is not None:
            await stack.enter_async_context(serving_probes(f"{host}:{health_port}", status.probes))
        await server.start()
        report = partial(status.set, names)
        await status.set([""], True)
        await report(readiness is None)
        try:
            async with readiness(report) if readiness else nullcontext():
                yield bound
        finally:
            # A cancelled owner still wants the orderly end.
            await asyncio.shield(_stop(server, status, grace_s, drain))


class _Health:
    """A server's health, where it is served: on its own port, and on that of probes."""

    def __init__(self) -> None:
        self.calls, self.probes = CalledHealth(), ProbedHealth()

    async def set(self, names: Sequence[str], serving: bool) -> None:
        status = _SERVING if serving else _NOT_SERVING
        for name in names:
            self.probes.set(name, status)
            await self.calls.set(name, status)

    async def end(self) -> None:
        """NOT_SERVING, for good."""
        self.probes.enter_graceful_shutdown()
        await self.calls.enter_graceful_shutdown()


def _listen(server: aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise Unavailable(f"cannot listen on {address}: the port is in use, or the address is not ours") from error


async def _stop(
    server: aio.Server,
    status: _Health,
    grace_s: float,
    drain: Callable[[], Awaitable[None]] | None,
) -> None:
    await status.end()
    if drain is not None:
        await drain()
    await server.stop(grace_s)
