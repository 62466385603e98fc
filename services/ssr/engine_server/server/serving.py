"""Running the server for the length of a `with` block."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from ssr.engine_server.server.app import build_app
from ssr.engine_server.server.backend import Backend

Extend = Callable[[web.Application], None]


@asynccontextmanager
async def running_server(
    backend: Backend,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    grace_s: float = 10.0,
    extend: Extend | None = None,
) -> AsyncGenerator[str, None]:
    """Enters `backend` and serves it, yielding the base URL; port 0 takes a free one.

    On leaving it stops accepting, lets requests in flight finish within `grace_s` seconds, cancels the rest and leaves
    the backend. `extend` may add routes and middlewares of the backend's own.
    Raises what entering the backend raises, and OSError when the port is taken.
    """
    async with backend:
        app = build_app(backend)
        if extend is not None:
            extend(app)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=grace_s, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield f"http://{_authority(host, runner.addresses[0][1])}"
        finally:
            await runner.cleanup()


def _authority(host: str, port: int) -> str:
    # A wildcard is where one listens, not where one can be reached.
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"{name}:{port}"
