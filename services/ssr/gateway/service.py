"""The gateway: its client, its application and its server, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ssr.client import AsyncClient, Backoff
from ssr.gateway.app import gateway_app
from ssr.gateway.gateway import Gateway
from ssr.gateway.metrics import GatewayMetrics
from ssr.gateway.models import load_models
from ssr.gateway.serving import serving
from ssr.gateway.settings import GatewaySettings
from ssr.runtime.rpc.tls import client_end
from ssr.runtime.telemetry.telemetry import open_telemetry

#: An orchestrator that is being replaced is waited for; what else is to be tried again, callers try.
_BACKOFF = Backoff(first_s=0.1, max_s=1.0, patience_s=10.0, overloaded=False)


@asynccontextmanager
async def running_gateway(settings: GatewaySettings) -> AsyncIterator[int]:
    """The gateway, serving until the block ends; yields its port."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        telemetry = await enter(open_telemetry("gateway", settings))
        models = await asyncio.to_thread(load_models, settings.models)
        client = await enter(AsyncClient(settings.orchestrator, tls=client_end(settings.tls), backoff=_BACKOFF))
        gateway = Gateway(settings, models, client, GatewayMetrics(telemetry.registry))
        if settings.health_port is not None:
            await enter(serving(_health_app(), settings.host, settings.health_port, grace_s=1))
        tls = None if settings.plain_http else settings.tls
        yield await enter(
            serving(gateway_app(gateway), settings.host, settings.port, grace_s=settings.grace_s, tls=tls)
        )


def _health_app() -> Starlette:
    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/health", health)])
