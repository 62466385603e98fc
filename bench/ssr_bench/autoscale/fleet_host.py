"""One pool's fleet as a process, and the HTTP by which its replicas are counted and scaled.

python -m ssr_bench.autoscale.fleet_host '{"pool": "draft", ...}'

GET  /replicas    {"ready": 2, "starting": 1}
PUT  /replicas    {"replicas": 3}
GET  /lives       all replicas that there ever were
GET  /health

All replicas of a pool share this process, each with a port, a batch and a cache of its own: a process for each would
cost more memory and CPU than the work of a simulated engine, and it is not the engines' processes that are measured.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import uvloop
from aiohttp import web
from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from ssr.cli.stack.ports import LOOPBACK
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engines.load import Pool
from ssr.runtime.process.signals import cancelled_by_signals
from ssr.runtime.process.tether import hold_tether
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.fleet import Fleet
from ssr_bench.autoscale.pace import Pace


class HostSettings(BaseModel):
    """The fleet of `pool`, at the pace of `factor`; times are real seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool: Pool
    port: int
    factor: float
    #: Where the URLs of the serving replicas are written.
    publish: Path
    #: Replicas that serve from the start.
    replicas: int
    startup_s: float
    linger_s: float
    #: For the requests that a replica has in hand when it ends.
    grace_s: float


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    replicas: NonNegativeInt


class _Api:
    """The handlers over one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/replicas", self.count),
            web.put("/replicas", self.scale),
            web.get("/lives", self.lives),
            web.get("/health", self.health),
        ]

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self._fleet.engines))

    async def scale(self, request: web.Request) -> web.Response:
        try:
            wanted = _Wanted.model_validate_json(await request.read())
        except ValidationError as error:
            return web.Response(status=422, text=str(error))
        self._fleet.scale(wanted.replicas)
        return await self.count(request)

    async def lives(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(life) for life in self._fleet.lives])

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()


def write_urls(file: Path, urls: Sequence[str]) -> None:
    """Write the file anew, in one step."""
    draft = file.with_suffix(".new")
    draft.write_text("".join(f"{url}\n" for url in urls))
    draft.replace(file)


async def serve(settings: HostSettings) -> None:
    """Serve until cancelled."""
    engine = ENGINES[settings.pool].settings(Pace(settings.factor))

    fleet = Fleet.running(
        lambda: running_server(SimulatedBackend(engine), grace_s=settings.grace_s),
        partial(write_urls, settings.publish),
        replicas=settings.replicas,
        startup_s=settings.startup_s,
        linger_s=settings.linger_s,
    )
    async with fleet as running:
        app = web.Application()
        app.add_routes(_Api(running).routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, settings.port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


async def _main(settings: HostSettings) -> None:
    try:
        with cancelled_by_signals():
            await serve(settings)
    except asyncio.CancelledError:  # the orderly end
        return


if __name__ == "__main__":
    hold_tether()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main:
        main.run(_main(HostSettings.model_validate_json(sys.argv[1])))
