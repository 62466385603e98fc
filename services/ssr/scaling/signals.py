"""What the services tell about the engines they call: work waiting and running, in requests and in tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from ssr.core.errors import InvalidRequest


class Pool(StrEnum):
    """A model and the engine replicas that serve it."""

    DRAFT = "draft"
    TARGET = "target"


class Service(StrEnum):
    """Who calls engines, and so can tell of their load."""

    DRAFTER = "drafter"
    VERIFIER = "verifier"
    SELECTOR = "selector"

    @property
    def pool(self) -> Pool:
        """Whose engines it calls."""
        return Pool.DRAFT if self is Service.DRAFTER else Pool.TARGET


@dataclass(frozen=True, slots=True)
class Load:
    """Engine calls of one replica of a service, or of many together.

    `requests_waiting` have no place on an engine yet, `requests_running` have; `tokens_waiting` and `tokens_running`
    are what these hold in an engine's cache: their prompt plus what they may generate. `tokens_per_s` are generated.
    `verified_per_s` and `rewritten_per_s` count steps, and only a verifier has them.

    Raises: InvalidRequest for a value that is negative or no number.
    """

    requests_waiting: int = 0
    requests_running: int = 0
    tokens_waiting: int = 0
    tokens_running: int = 0
    tokens_per_s: float = 0.0
    verified_per_s: float = 0.0
    rewritten_per_s: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0):
                raise InvalidRequest(item.name, f"must be a number of at least 0; got {value:g}")

    def __add__(self, other: Load) -> Load:
        return Load(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def rewrite_rate(self) -> float | None:
        """The part of the verified steps that was rewritten, 0..1; None while nothing is verified."""
        return min(self.rewritten_per_s / self.verified_per_s, 1.0) if self.verified_per_s else None


@dataclass(frozen=True, slots=True)
class Report:
    """What one replica of a service said at `at`. `replica` is its name, unique in its service."""

    service: Service
    replica: str
    at: float
    load: Load


@dataclass(frozen=True, slots=True)
class Engines:
    """A pool's engine replicas: those that serve, and those that were asked for and do not serve yet."""

    ready: int = 0
    starting: int = 0


@dataclass(frozen=True, slots=True)
class PoolSignals:
    """All that is known of one pool: the load by service, of those that reported, and its engines."""

    pool: Pool
    loads: Mapping[Service, Load]
    engines: Engines = Engines()

    @property
    def load(self) -> Load:
        return sum(self.loads.values(), Load())

    @property
    def missing(self) -> tuple[Service, ...]:
        """The services that call this pool and have no fresh report: their load is unknown, not zero."""
        return tuple(service for service in Service if service.pool is self.pool and service not in self.loads)


def pool_signals(pool: Pool, reports: Iterable[Report], engines: Engines, now: float, ttl_s: float) -> PoolSignals:
    """Sums the reports for `pool` that are at most `ttl_s` seconds old; of each replica, the newest."""
    newest: dict[tuple[Service, str], Report] = {}
    for report in reports:
        key = (report.service, report.replica)
        fresh = report.service.pool is pool and now - report.at <= ttl_s
        if fresh and (key not in newest or newest[key].at < report.at):
            newest[key] = report
    loads: dict[Service, Load] = {}
    for report in newest.values():
        loads[report.service] = loads.get(report.service, Load()) + report.load
    return PoolSignals(pool, loads, engines)
