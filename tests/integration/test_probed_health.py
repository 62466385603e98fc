"""Health for probes while the process is busy, and while its loop hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hang_limit import LIMIT_S

from ssr.cli.stack.ports import free_port
from ssr.runtime.rpc.probed_health import CalledHealth, ProbedHealth, serving_probes

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
#: Its published types do not have the list yet.
ANY_HEALTH: Any = health_pb2


def probed(address: str, name: str = "") -> int:
    """What a probe finds, from a thread."""
    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=LIMIT_S)  # type: ignore[attr-defined]
        return int(reply.status)


async def test_probes_are_answered_while_the_loop_is_blocked() -> None:
    address, status = f"127.0.0.1:{free_port()}", ProbedHealth()
    status.set("", SERVING)
    status.set("busy", NOT_SERVING)
    found: list[int] = []

    def probe() -> None:
        found.extend((probed(address), probed(address, "busy")))

    async with asyncio.timeout(LIMIT_S), serving_probes(address, status):
        probing = threading.Thread(target=probe)
        probing.start()
        probing.join()  # blocks the loop until the probe has its answers
    assert found == [SERVING, NOT_SERVING]


async def test_a_process_whose_loop_hangs_is_not_alive() -> None:
    address, status = f"127.0.0.1:{free_port()}", ProbedHealth(hangs_s=0.1)
    status.set("", SERVING)
    found: list[int] = []

    def probe() -> None:
        until = time.monotonic() + LIMIT_S
        while NOT_SERVING not in found and time.monotonic() < until:
            found.append(probed(address))

    async with asyncio.timeout(2 * LIMIT_S), serving_probes(address, status):
        probing = threading.Thread(target=probe)
        probing.start()
        probing.join()  # the loop hangs
        assert found.pop() == NOT_SERVING
        status.beat()
        probing = threading.Thread(target=lambda: found.append(probed(address)))
        probing.start()
        probing.join()
        assert found.pop() == SERVING


async def test_both_kinds_of_health_list_what_there_is() -> None:
    called, address, probes = CalledHealth(), f"127.0.0.1:{free_port()}", ProbedHealth()
    server = aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(called, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await called.set("busy", NOT_SERVING)
    probes.set("busy", NOT_SERVING)
    async with serving_probes(address, probes):
        for where in (f"127.0.0.1:{port}", address):
            async with aio.insecure_channel(where) as channel:
                listed: Any = health_pb2_grpc.HealthStub(channel)
                reply = await listed.List(ANY_HEALTH.HealthListRequest(), timeout=LIMIT_S)
                assert {name: one.status for name, one in reply.statuses.items()} == {"": SERVING, "busy": NOT_SERVING}
        await called.enter_graceful_shutdown()
        probes.enter_graceful_shutdown()
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            listed = health_pb2_grpc.HealthStub(channel)
            reply = await listed.List(ANY_HEALTH.HealthListRequest(), timeout=LIMIT_S)
            assert {one.status for one in reply.statuses.values()} == {NOT_SERVING}
    await server.stop(None)
