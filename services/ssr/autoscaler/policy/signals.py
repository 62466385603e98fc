"""What the services report of the engines they call: work waiting and running, in requests and in tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ssr.engines.load import Load, Pool


class Service(StrEnum):
    """Who calls engines, and so can report their load."""

    DRAFTER = "drafter"
    VERIFIER = "verifier"
    SELECTOR = "selector"

    @property
    def pool(self) -> Pool:
        """Whose engines it calls."""
        return Pool.DRAFT if self is Service.DRAFTER else Pool.TARGET


@dataclass(frozen=True, slots=True)
class Report:
    """What one replica of a service said at `at`. `replica` is its name, unique in its service.

    `engines` is how many engine replicas it can call.
    """

    service: Service
    replica: str
    at: float
    load: Load
    engines: int = 0


@dataclass(frozen=True, slots=True)
class Engines:
    """A pool's engine replicas: those that serve, and those that were asked for and do not serve yet."""

    ready: int = 0
    starting: int = 0


@dataclass(frozen=True, slots=True)
class PoolSignals:
    """All that is known of one pool: the load by service, of those that reported, and its engines.

    `callers` are the services that call its engines; None: all whose pool it is.
    """

    pool: Pool
    loads: Mapping[Service, Load]
    engines: Engines = Engines()
    callers: Collection[Service] | None = None

    @property
    def load(self) -> Load:
        return sum(self.loads.values(), Load())

    @property
    def missing(self) -> tuple[Service, ...]:
        """The services that call this pool and have no fresh report: their load is unknown, not zero."""
        callers = callers_of(self.pool) if self.callers is None else self.callers
        return tuple(service for service in callers if service not in self.loads)


def callers_of(pool: Pool, *, own_selector_engine: bool = False) -> tuple[Service, ...]:
    """The services that call the engines of `pool`; `own_selector_engine`: the selector does not call the target's."""
    left_out = {Service.SELECTOR} if own_selector_engine else set()
    return tuple(service for service in Service if service.pool is pool and service not in left_out)


def pool_signals(
    pool: Pool,
    reports: Iterable[Report],
    engines: Engines,
    now: float,
    ttl_s: float,
    callers: Collection[Service] | None = None,
) -> PoolSignals:
    """Sums the reports of the `callers` of `pool` that are at most `ttl_s` seconds old; of each replica, the newest."""
    callers = callers_of(pool) if callers is None else callers
    newest: dict[tuple[Service, str], Report] = {}
    for report in reports:
        key = (report.service, report.replica)
        fresh = report.service in callers and now - report.at <= ttl_s
        if fresh and (key not in newest or newest[key].at < report.at):
            newest[key] = report
    loads: dict[Service, Load] = {}
    for report in newest.values():
        loads[report.service] = loads.get(report.service, Load()) + report.load
    return PoolSignals(pool, loads, engines, callers)
