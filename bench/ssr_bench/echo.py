"""A process that answers every call with what it was sent: the cost of gRPC and HTTP without any SSR.

python -m ssr_bench.echo GRPC_PORT HTTP_PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiohttp import web
from grpc import aio, unary_unary_rpc_method_handler
from grpc import method_handlers_generic_handler as generic_handler

from ssr.cli.stack.ports import LOOPBACK
from ssr.runtime.process.signals import cancelled_by_signals
from ssr.runtime.process.tether import hold_tether

SERVICE, METHOD = "ssr_bench.Echo", "Echo"


async def _echo(request: bytes, _: aio.ServicerContext[bytes, bytes]) -> bytes:
    return request


async def _post(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), content_type="application/json")


async def _health(_: web.Request) -> web.Response:
    return web.Response()


async def serve(grpc_port: int, http_port: int) -> None:
    """Serve until cancelled."""
    server: Any = aio.server()
    server.add_generic_rpc_handlers((generic_handler(SERVICE, {METHOD: unary_unary_rpc_method_handler(_echo)}),))
    server.add_insecure_port(f"{LOOPBACK}:{grpc_port}")
    app = web.Application()
    app.add_routes([web.post("/", _post), web.get("/health", _health)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await server.start()
        await web.TCPSite(runner, LOOPBACK, http_port).start()
        await asyncio.Event().wait()
    finally:
        await server.stop(None)
        await runner.cleanup()


async def _main(grpc_port: int, http_port: int) -> None:
    try:
        with cancelled_by_signals():
            await serve(grpc_port, http_port)
    except asyncio.CancelledError:  # the orderly end
        return


if __name__ == "__main__":
    hold_tether()
    asyncio.run(_main(*map(int, sys.argv[1:3])))
