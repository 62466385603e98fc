"""The processes of a local stack: what runs where, with which settings. Nothing here starts anything."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

from ssr.cli.stack.ports import LOOPBACK
from ssr.cli.stack.presets import EngineChoice, Setup
from ssr.runtime.process.tether import VARIABLE as TETHER

#: Seconds that a service's calls in flight have when the stack ends.
DRAIN_S = 3.0

#: One step on a CPU that several paths share may take minutes; a service's limit lies above its engine's.
_ENGINE_TIMEOUT_S = 600
_STEP_TIMEOUT_S = 900
_SELECT_TIMEOUT_S = 600

#: -P: a folder called "ssr" where the user happens to be is not ours.
_PYTHON = (sys.executable, "-P", "-m")


class Tier(IntEnum):
    """Who is needed by whom: a tier needs those below it, and ends before them."""

    STATE = 0
    ENGINE = 1
    SERVICE = 2
    API = 3
    FRONT = 4


class Probe(StrEnum):
    """How a part reports that it serves."""

    REDIS = "redis"  #: PING
    HTTP = "http"  #: GET /health
    GRPC = "grpc"  #: the health service


@dataclass(frozen=True, slots=True)
class Part:
    """One process. `environment` is what it is given beside what all processes inherit."""

    name: str
    title: str
    tier: Tier
    probe: Probe
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """ "host:port"."""
        return f"{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens."""

    redis: int
    draft_engine: int
    target_engine: int
    selector: int
    drafter: int
    verifier: int
    orchestrator: int
    #: None: there is no gateway.
    gateway: int | None = None


def valkey_part(port: int, server: Path, folder: Path) -> Part:
    """The Valkey server that is the stack's Redis: it keeps in `folder` what a restart of its needs."""
    listening = ("--port", str(port), "--bind", LOOPBACK)
    keeping = ("--dir", str(folder), "--save", "", "--appendonly", "yes")
    command = (*_PYTHON, "ssr.runtime.process.tether", "--", str(server), *listening, *keeping)
    return Part("redis", "Valkey", Tier.STATE, Probe.REDIS, port, command)


def ssr_parts(setup: Setup, ports: Ports, models: Mapping[str, Path], redis_url: str, cores: int) -> tuple[Part, ...]:
    """All parts but Redis, which is at `redis_url`.

    `models` has the file of each model that the set-up needs; embedded engines share `cores` between them.
    """
    draft_threads, target_threads = split_cores(cores)
    draft_url, target_url = (f"http://{LOOPBACK}:{port}" for port in (ports.draft_engine, ports.target_engine))
    return (
        _engine("draft-engine", ports.draft_engine, setup.draft, models, draft_threads),
        _engine("target-engine", ports.target_engine, setup.target, models, target_threads),
        _service("selector", ports.selector, _uses_engine("SELECTOR", target_url, redis_url)),
        _service("drafter", ports.drafter, _uses_engine("DRAFTER", draft_url, redis_url)),
        _service(
            "verifier",
            ports.verifier,
            {**_uses_engine("VERIFIER", target_url, redis_url), "SSR_VERIFIER_SCORER": setup.scorer.value},
        ),
        _service("orchestrator", ports.orchestrator, {**_uses_all(ports, redis_url), **_defaults(setup)}, Tier.API),
        *([] if ports.gateway is None else [_gateway(ports.gateway, ports.orchestrator)]),
    )


def in_ending_order(parts: Sequence[Part]) -> tuple[tuple[Part, ...], ...]:
    """The parts in groups that can end together, those that nobody needs first."""
    return tuple(tuple(part for part in parts if part.tier is tier) for tier in reversed(Tier))


def split_cores(cores: int) -> tuple[int, int]:
    """Threads of the draft and of the target engine: a third and two thirds of the cores, and no core for both.

    llama.cpp's threads wait for each other, and one that does not run holds up the others. On two cores or one the
    target still gets them all: it has most of the work, and a single drafting thread waits for nobody (54 s for a job
    that took 71 s with one each).
    """
    draft = max(1, cores // 3)
    return draft, cores if cores <= 2 else cores - draft


def _engine(name: str, port: int, choice: EngineChoice, models: Mapping[str, Path], threads: int) -> Part:
    model = {}
    if choice.model is not None:
        model = {
            "SSR_ENGINE_MODEL": str(models[choice.model]),
            "SSR_ENGINE_EMBEDDED__MODEL_ID": choice.model,
            "SSR_ENGINE_EMBEDDED__THREADS": str(threads),
        }
    environment = {**choice.environment, **model, **_listens("ENGINE", port)}
    return Part(name, choice.title, Tier.ENGINE, Probe.HTTP, port, (*_PYTHON, "ssr", "serve", "engine"), environment)


def _service(name: str, port: int, settings: Mapping[str, str], tier: Tier = Tier.SERVICE) -> Part:
    environment = {**settings, **_listens(name.upper(), port)}
    return Part(name, name, tier, Probe.GRPC, port, (*_PYTHON, "ssr", "serve", name), environment)


def _gateway(port: int, orchestrator: int) -> Part:
    environment = {"SSR_GATEWAY_ORCHESTRATOR": f"{LOOPBACK}:{orchestrator}", **_listens("GATEWAY", port)}
    command = (*_PYTHON, "ssr", "serve", "gateway")
    return Part("gateway", "OpenAI API", Tier.FRONT, Probe.HTTP, port, command, environment)


def _defaults(setup: Setup) -> dict[str, str]:
    return {f"SSR_ORCHESTRATOR_DEFAULTS__{name}": str(value) for name, value in setup.defaults.items()}


def _listens(service: str, port: int) -> dict[str, str]:
    own = {"HOST": LOOPBACK, "PORT": str(port), "GRACE_S": str(DRAIN_S)}
    return {f"SSR_{service}_{name}": value for name, value in own.items()} | {TETHER: "1"}


def _uses_engine(service: str, url: str, redis_url: str) -> dict[str, str]:
    """Its load is reported, for whoever looks at the pools."""
    return {
        f"SSR_{service}_REDIS_URL": redis_url,
        f"SSR_{service}_ENGINE__KIND": "tgi",
        f"SSR_{service}_ENGINE__URLS": url,
        f"SSR_{service}_ENGINE__TIMEOUT_S": str(_ENGINE_TIMEOUT_S),
    }


def _uses_all(ports: Ports, redis_url: str) -> dict[str, str]:
    return {
        "SSR_ORCHESTRATOR_REDIS_URL": redis_url,
        "SSR_ORCHESTRATOR_SELECTOR": f"{LOOPBACK}:{ports.selector}",
        "SSR_ORCHESTRATOR_DRAFTER": f"{LOOPBACK}:{ports.drafter}",
        "SSR_ORCHESTRATOR_VERIFIER": f"{LOOPBACK}:{ports.verifier}",
        "SSR_ORCHESTRATOR_STEP_TIMEOUT_S": str(_STEP_TIMEOUT_S),
        "SSR_ORCHESTRATOR_SELECT_TIMEOUT_S": str(_SELECT_TIMEOUT_S),
    }
