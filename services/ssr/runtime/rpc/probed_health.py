"""Health for probes, on a port of its own and answered by threads of its own.

A kubelet's probe gives up after a second or two. While hundreds of jobs run, a call may wait longer than that for its
turn of the loop, and a replica that is only busy would be taken out, or started anew. These threads answer at once what
the loop has set, unless the loop hangs. (Measured with 300 jobs on two busy cores: a check takes 3.3 s on the main port
at the 90th percentile.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ssr.core.errors import Unavailable
from ssr.runtime.background import supervised

#: Threads that answer probes.
_THREADS = 2
#: Seconds between two turns of the loop that are noted, and without any before the process is reported as not alive.
_BEAT_S = 1.0
HANGS_S = 30.0
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class CalledHealth(health.aio.HealthServicer):
    """Health as calls on a server's own port see it; it lists what there is, which gRPC's does not."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Any] = {"": _SERVING}

    async def set(self, service: str, status: Any) -> None:
        await super().set(service, status)
        self._known[service] = status

    async def enter_graceful_shutdown(self) -> None:
        self._known = dict.fromkeys(self._known, _NOT_SERVING)
        await super().enter_graceful_shutdown()

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return _listed(self._known)


class ProbedHealth(health.HealthServicer):
    """What the loop has set, as long as the loop has had a turn lately; else NOT_SERVING."""

    def __init__(self, hangs_s: float = HANGS_S) -> None:
        super().__init__()
        self._hangs_s = hangs_s
        self._known: dict[str, Any] = {"": _SERVING}
        self.beat()

    def set(self, service: str, status: Any) -> None:
        super().set(service, status)
        self._known = {**self._known, service: status}

    def enter_graceful_shutdown(self) -> None:
        self._known = dict.fromkeys(self._known, _NOT_SERVING)
        super().enter_graceful_shutdown()

    def beat(self) -> None:
        """The loop has its turn."""
        self._beat = time.monotonic()

    async def beating(self) -> None:
        """Note the loop's turns for ever."""
        while True:
            self.beat()
            await asyncio.sleep(_BEAT_S)

    def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:  # noqa: N802 - gRPC's name
        reply = super().Check(request, context)
        return health_pb2.HealthCheckResponse(status=_NOT_SERVING) if self._hangs else reply

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return _listed(dict.fromkeys(self._known, _NOT_SERVING) if self._hangs else self._known)

    @property
    def _hangs(self) -> bool:
        return time.monotonic() - self._beat > self._hangs_s


def _listed(known: Mapping[str, Any]) -> Any:
    response: Any = health_pb2  # its published types do not have the list yet
    statuses = {name: health_pb2.HealthCheckResponse(status=status) for name, status in known.items()}
    return response.HealthListResponse(statuses=statuses)


@asynccontextmanager
async def serving_probes(address: str, status: ProbedHealth) -> AsyncIterator[None]:
    """Serves `status` without TLS until the block ends. Raises: Unavailable when the address cannot be bound."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="health")
    server = grpc.server(threads, options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        threads.shutdown(wait=False)
        raise Unavailable(f"cannot listen on {address}: the port is in use, or the address is not ours") from error
    server.start()
    try:
        async with supervised(status.beating(), "health"):
            yield
    finally:
        server.stop(None)
        threads.shutdown(wait=False)
