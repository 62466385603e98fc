"""Running the server: on a port until cancelled, or for the length of a `with` block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from ssr.engines.server.app import build_app
from ssr.engines.server.backend import Backend

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


async def serve(
    backend: Backend,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None] | None = None,
    grace_s: float = 10.0,
    extend: Extend | None = None,
) -> None:
    """Serves until cancelled, gracefully as `running_server` does; `ready` is called once with the base URL."""
    async with running_server(backend, host=host, port=port, grace_s=grace_s, extend=extend) as base_url:
        if ready is not None:
            ready(base_url)
        await asyncio.Event().wait()


def _authority(host: str, port: int) -> str:
    # A wildcard is where one listens, not where one can be reached.
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"{name}:{port}"
