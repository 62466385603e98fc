"""HTTP beside TGI's API: reading and setting the faults at run time, and the faults of the connection itself.

GET  /simulated/faults    the plan in force, and counters
POST /simulated/faults    a new plan (JSON, see FaultPlan); counting starts afresh
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import asdict
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from ssr.engine_server.server.errors import invalid
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import HTTP_FAULTS, FaultKind, FaultPlan

PATH = "/simulated/faults"
_GENERATION_PATHS = frozenset({"/", "/generate", "/generate_stream"})
_FLOOD_PAUSE_S = 0.01
_LINGER_NOT = struct.pack("ii", 1, 0)  # on, for 0 seconds: closing the socket resets the connection


def add_simulated_routes(app: web.Application, backend: SimulatedBackend) -> None:
    """Let `app`, which serves `backend`, show and take fault plans, and make the connection's faults.

    Call it before the application starts.
    """
    app.middlewares.append(_connection_faults(backend))
    app.add_routes([web.get(PATH, _show(backend), allow_head=False), web.post(PATH, _set(backend))])


def _show(backend: SimulatedBackend) -> Handler:
    async def show(_: web.Request) -> web.StreamResponse:
        return web.json_response(_state(backend))

    return show


def _set(backend: SimulatedBackend) -> Handler:
    async def set_plan(http: web.Request) -> web.StreamResponse:
        try:
            plan = FaultPlan.model_validate_json(await http.read())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise invalid(f"{where}: {first['msg']}") from error
        backend.faults.set(plan)
        return web.json_response(_state(backend))

    return set_plan


def _state(backend: SimulatedBackend) -> dict[str, Any]:
    metrics = backend.metrics()
    counters = asdict(backend.activity) | {"queued": metrics.queued, "running": metrics.running}
    return {
        "plan": backend.faults.plan.model_dump(mode="json"),
        "counters": counters,
        "faults": {kind.value: count for kind, count in backend.faults.dealt.items()},
    }


def _connection_faults(backend: SimulatedBackend) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or request.path not in _GENERATION_PATHS:
            return await handler(request)
        fault = backend.faults.draw(HTTP_FAULTS)
        if fault is FaultKind.RESET or (fault is FaultKind.TRUNCATED and request.path == "/generate_stream"):
            return _reset(request)
        if fault is FaultKind.FLOOD:
            return await _flood(request)
        response = await handler(request)
        if fault is FaultKind.TRUNCATED and response.status == 200 and isinstance(response, web.Response):
            assert isinstance(response.body, bytes)
            response.body = response.body[: len(response.body) // 2]
        return response

    return middleware


async def _flood(request: web.Request) -> web.StreamResponse:
    """Writes on until the client goes away, which cancels it."""
    response = web.StreamResponse()
    response.content_type = "application/json"
    await response.prepare(request)
    await response.write(b'{"generated_text": "')
    while True:
        await response.write(b"on and on ")
        await asyncio.sleep(_FLOOD_PAUSE_S)


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    return web.Response()  # has nowhere to go
