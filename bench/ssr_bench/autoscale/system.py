"""The whole system of one measurement: Redis, the services and orchestrator as `ssr serve` runs them, two fleets."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ssr.autoscaler.policy.signals import Service
from ssr.cli.stack.parts import Part, Ports, Probe, Tier, ssr_parts, valkey_part
from ssr.cli.stack.ports import free_port
from ssr.cli.stack.presets import SETUPS, Preset
from ssr.cli.stack.stack import RESTART_LIMITS, START_LIMIT_S, valkey_server
from ssr.cli.stack.supervision import lifeline, running_parts
from ssr.cli.stack.supervisor import Supervisor, Surroundings
from ssr.engines.load import Pool
from ssr.runtime.process.tether import VARIABLE as TETHER
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.fleet_host import HostSettings
from ssr_bench.autoscale.plan import REPORT_S, AutoscalePlan

#: Between a replica's withdrawal and its end: a service has looked at the file by then. In seconds of the day.
LINGER_S = 2 * REPORT_S
#: For the requests that it has in hand then.
_GRACE_S = 120.0


@dataclass(frozen=True, slots=True)
class LoadedSystem:
    """Where its parts are. `address` is the orchestrator's, `fleets` the hosts of the engines."""

    address: str
    redis_url: str
    fleets: Mapping[Pool, str]
    supervisors: tuple[Supervisor, ...]

    @property
    def pids(self) -> dict[str, int]:
        """The process of each part as it is now; another one after a restart."""
        return {one.part.name: one.pid for one in self.supervisors if one.pid is not None}


@asynccontextmanager
async def running_system(
    plan: AutoscalePlan, replicas: Mapping[Pool, int], log: Callable[[str], None] = lambda _: None
) -> AsyncIterator[LoadedSystem]:
    """The system with so many engine replicas serving, until the block ends.

    Raises: CapabilityMissing without Valkey; Unavailable when a part does not start, or dies too often.
    """
    with tempfile.TemporaryDirectory(prefix="ssr-", ignore_cleanup_errors=True) as temporary, lifeline() as stdin:
        folder = Path(temporary)
        redis = valkey_part(free_port(), valkey_server(), folder)
        url = f"redis://{redis.address}/0"
        files = {pool: folder / f"{pool}-replicas" for pool in Pool}
        fleets = {pool: _fleet(plan, pool, replicas[pool], files[pool]) for pool in Pool}
        parts = (redis, *fleets.values(), *_services(plan, url, files))
        around = Surroundings(os.environ, stdin, folder, log, START_LIMIT_S, restart_limits=RESTART_LIMITS)
        async with running_parts(parts, around) as supervisors:
            yield LoadedSystem(
                address=next(part.address for part in parts if part.tier is Tier.API),
                redis_url=url,
                fleets={pool: part.address for pool, part in fleets.items()},
                supervisors=tuple(supervisors),
            )


def _fleet(plan: AutoscalePlan, pool: Pool, replicas: int, file: Path) -> Part:
    settings = HostSettings(
        pool=pool,
        port=free_port(),
        factor=plan.pace.factor,
        publish=file,
        replicas=replicas,
        startup_s=plan.pace.real_s(plan.startup_s),
        linger_s=plan.pace.real_s(LINGER_S),
        grace_s=plan.pace.real_s(_GRACE_S),
    )
    command = (sys.executable, "-P", "-m", "ssr_bench.autoscale.fleet_host", settings.model_dump_json())
    name = f"{pool}-fleet"
    return Part(name, name, Tier.ENGINE, Probe.HTTP, settings.port, command, {TETHER: "1"})


def _services(plan: AutoscalePlan, redis_url: str, files: Mapping[Pool, Path]) -> tuple[Part, ...]:
    """The local stack's services, with where the replicas are, and where to report their load."""
    ours = {name: free_port() for name in ("selector", "drafter", "verifier", "orchestrator")}
    ports = Ports(redis=0, draft_engine=0, target_engine=0, **ours)  # those are elsewhere
    parts = ssr_parts(SETUPS[Preset.SIMULATED], ports, {}, redis_url, cores=1)
    report_s = str(plan.pace.real_s(REPORT_S))
    added = {service.value: _caller(service, redis_url, report_s, files[service.pool]) for service in Service}
    added["orchestrator"] = {"SSR_ORCHESTRATOR_REPORT_S": report_s}
    return tuple(
        replace(part, environment={**part.environment, **added[part.name]}) for part in parts if part.name in added
    )


def _caller(service: Service, redis_url: str, report_s: str, replicas: Path) -> dict[str, str]:
    prefix = f"SSR_{service.upper()}_"
    return {
        f"{prefix}ENGINE__URLS": replicas.as_uri(),
        f"{prefix}ENGINE__REFRESH_S": report_s,
        f"{prefix}ENGINE__MAX_IN_FLIGHT": str(ENGINES[service.pool].slots),
        f"{prefix}REDIS_URL": redis_url,
        f"{prefix}REPORT_S": report_s,
    }
