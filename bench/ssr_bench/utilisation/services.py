"""The services on engines that are there already, or on simulated ones with their timing models."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ssr.cli.stack.parts import Part, Ports, Tier, ssr_parts, valkey_part
from ssr.cli.stack.ports import LOOPBACK, free_port
from ssr.cli.stack.presets import SETUPS, Preset
from ssr.cli.stack.stack import RESTART_LIMITS, START_LIMIT_S, valkey_server
from ssr.cli.stack.supervision import lifeline, running_parts
from ssr.cli.stack.supervisor import Supervisor, Surroundings
from ssr.engines.load import Pool
from ssr.engines.settings import EngineSettings
from ssr_bench.utilisation.plan import UtilisationPlan

#: More than any load here: nothing is to wait for a place.
_PLACES = 8192
#: Simulated engines take all requests into one batch, write no blemishes, which are rejected unseen, and time passes.
_SIMULATED = {
    "SSR_ENGINE_SIMULATED__MAX_CONCURRENT_REQUESTS": str(_PLACES),
    "SSR_ENGINE_SIMULATED__MAX_BATCH_SIZE": str(_PLACES),
    "SSR_ENGINE_SIMULATED__QUALITY__BLEMISH_RATE": "0",
}
_REPLICATED = ("drafter", "verifier", "orchestrator")


@dataclass(frozen=True, slots=True)
class Services:
    """The services at work, and the engines of both pools as they are talked to."""

    supervisors: Sequence[Supervisor]
    engines: Mapping[Pool, EngineSettings]

    @property
    def api(self) -> str:
        """A gRPC target with all orchestrators."""
        return _target(one.part for one in self.supervisors if one.part.name.startswith("orchestrator"))

    @property
    def pids(self) -> dict[str, int]:
        """The processes that SSR adds to its engines."""
        return {
            one.part.name: one.pid
            for one in self.supervisors
            if one.pid is not None and one.part.tier is not Tier.ENGINE
        }


@asynccontextmanager
async def running_services(plan: UtilisationPlan, on_event: Callable[[str], None]) -> AsyncIterator[Services]:
    """Serving until the block ends. Raises: as `cli.stack.running_stack`."""
    with tempfile.TemporaryDirectory(prefix="ssr-", ignore_cleanup_errors=True) as temporary, lifeline() as stdin:
        folder, ports = Path(temporary), Ports(*(free_port() for _ in range(7)))
        engines = _engines(plan, ports)
        surroundings = Surroundings(
            {**os.environ, **_SIMULATED},
            stdin,
            folder,
            on_event,
            start_limit_s=START_LIMIT_S,
            restart_limits=RESTART_LIMITS,
        )
        async with running_parts(_parts(plan, ports, engines, folder), surroundings) as supervisors:
            yield Services(supervisors, engines)


def _engines(plan: UtilisationPlan, ports: Ports) -> dict[Pool, EngineSettings]:
    if plan.simulated:
        urls = {Pool.TARGET: ports.target_engine, Pool.DRAFT: ports.draft_engine}
        return {
            pool: EngineSettings(kind="tgi", urls=(f"http://{LOOPBACK}:{port}",), max_in_flight=_PLACES)
            for pool, port in urls.items()
        }
    urls_of = {Pool.TARGET: plan.engine, Pool.DRAFT: plan.draft_engine or plan.engine}
    return {pool: EngineSettings(kind=plan.kind, urls=(url,), max_in_flight=_PLACES) for pool, url in urls_of.items()}


def _parts(
    plan: UtilisationPlan, ports: Ports, engines: Mapping[Pool, EngineSettings], folder: Path
) -> tuple[Part, ...]:
    redis = valkey_part(ports.redis, valkey_server(), folder)
    parts = ssr_parts(SETUPS[Preset.SIMULATED], ports, {}, f"redis://{redis.address}/0", 2)
    if not plan.simulated:
        parts = tuple(part for part in parts if part.tier is not Tier.ENGINE)
    engine_of = {f"{name.upper()}": engines[pool] for name, pool in _ASKS.items()}
    parts = tuple(_on_engine(part, engine_of.get(part.name.upper())) for part in parts)
    parts = tuple(copy for part in parts for copy in _replicas(part, plan.services))
    addresses = {
        f"SSR_ORCHESTRATOR_{name.upper()}": _target(part for part in parts if part.name.startswith(name))
        for name in ("drafter", "verifier")
    }
    room = {"SSR_ORCHESTRATOR_MAX_PATHS": str(_PLACES)}
    return (
        redis,
        *(
            replace(part, environment={**part.environment, **addresses, **room}) if part.tier is Tier.API else part
            for part in parts
        ),
    )


_ASKS = {"selector": Pool.TARGET, "drafter": Pool.DRAFT, "verifier": Pool.TARGET}


def _on_engine(part: Part, engine: EngineSettings | None) -> Part:
    if engine is None:
        return part
    prefix = f"SSR_{part.name.upper()}_ENGINE__"
    settings = {"KIND": engine.kind, "URLS": ",".join(engine.urls), "MAX_IN_FLIGHT": str(engine.max_in_flight)}
    return replace(
        part, environment={**part.environment, **{f"{prefix}{name}": value for name, value in settings.items()}}
    )


def _replicas(part: Part, count: int) -> list[Part]:
    """The part, and its equals on ports of their own."""
    copies = [part]
    for number in range(2, count + 1 if part.name in _REPLICATED else 2):
        port = free_port()
        environment = {**part.environment, f"SSR_{part.name.upper()}_PORT": str(port)}
        copies.append(replace(part, name=f"{part.name}-{number}", port=port, environment=environment))
    return copies


def _target(parts: object) -> str:
    return f"ipv4:{','.join(part.address for part in parts)}"  # type: ignore[attr-defined]
