"""The metrics over HTTP, for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ssr.core.errors import SsrError, Unavailable

_log = logging.getLogger(__name__)

#: For what is looked up for a scrape, in seconds: Prometheus waits for ten.
_LOOK_UP_S = 2.0

#: Brings metrics up to date for a scrape.
Refresh = Callable[[], Awaitable[None]]


@asynccontextmanager
async def serving_metrics(
    registry: CollectorRegistry, refreshes: Sequence[Refresh], host: str, port: int
) -> AsyncIterator[int]:
    """GET /metrics on this address until the block ends, in the form that the scraper prefers; yields the port.

    Each of `refreshes`, which may grow, is awaited before. Raises: Unavailable when the address cannot be bound.
    """

    async def metrics(request: web.Request) -> web.Response:
        await _refresh(refreshes)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise Unavailable(f"metrics_port: cannot listen on {host}:{port}: {reason}") from error
        bound = int(runner.addresses[0][1])
        _log.info("metrics on http://%s:%d/metrics", host, bound)
        yield bound
    finally:
        await asyncio.shield(runner.cleanup())


async def _refresh(refreshes: Sequence[Refresh]) -> None:
    """A scrape shows what is known where something cannot be looked up in time."""
    for refresh in refreshes:
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                await refresh()
        except (SsrError, TimeoutError) as error:
            _log.debug("a scrape goes without what could not be looked up: %s", error)
