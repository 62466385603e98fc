"""What the parts report to each other about load and replicas, in Redis. All keys share one hash tag.

    ssr:{scaling}:notes            Set: the names of the notes below; gone an hour after the last one
    ssr:{scaling}:note:<name>      String with a time to live: "<seconds> <JSON>". Names are "load <service> <replica>"
                                   (a report) and "outlook <replica>" (an orchestrator's view of the queue)
    ssr:{scaling}:decisions        Hash: pool -> JSON of the newest decision, with the memory for the next one
    ssr:{scaling}:leader           String with a time to live: who decides, where that is settled in Redis

Times are Redis's own, so that nobody's clock matters. What cannot be read (a newer version wrote it) is left out, with
a warning: a missing report never takes engines away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from ssr.autoscaler.policy.decision import ScalingDecision
from ssr.autoscaler.policy.forecast import Forecast, Workload, forecast_of
from ssr.autoscaler.policy.signals import Report, Service
from ssr.autoscaler.policy.state import ScalingState
from ssr.core.errors import InvalidRequest
from ssr.engines.load import Load, Pool
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors


@dataclass(frozen=True, slots=True)
class DecidedReplicas:
    """A pool is to have so many replicas: decided `at` (seconds since 1970, Redis's clock), for these reasons."""

    at: float
    replicas: int
    reasons: tuple[str, ...]


_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_SERVICES, _POOLS = frozenset(Service), frozenset(Pool)

TAG = "ssr:{scaling}:"
_NOTES = f"{TAG}notes"
_NOTE = f"{TAG}note:"
_DECISIONS = f"{TAG}decisions"


@dataclass(frozen=True, slots=True)
class _Reported:
    """A service's note."""

    load: Load
    engines: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """A decision with its memory."""

    at: float
    replicas: int
    reasons: tuple[str, ...]
    state: ScalingState

    @property
    def decided(self) -> DecidedReplicas:
        return DecidedReplicas(self.at, self.replicas, self.reasons)


@dataclass(frozen=True, slots=True)
class View:
    """All reports at `now`, seconds since 1970: reports and forecast as far as they are fresh, and what was decided."""

    now: float
    reports: tuple[Report, ...]
    forecast: Forecast | None
    decided: Mapping[Pool, DecidedReplicas]
    states: Mapping[Pool, ScalingState]


_reported = TypeAdapter(_Reported)
_workload_adapter = TypeAdapter(Workload)
_stored = TypeAdapter(_Stored)


class ReportStore:
    """The reports; each is forgotten after `ttl_s` seconds. Every method raises Unavailable without Redis."""

    def __init__(self, redis: RedisClient, *, ttl_s: float) -> None:
        self._redis, self.ttl_s = redis, ttl_s
        self._report = Script(redis, "autoscaler/scripts/report")
        self._read = Script(redis, "autoscaler/scripts/read")
        self._decision = Script(redis, "autoscaler/scripts/decision")

    async def report_load(self, service: Service, replica: str, load: Load, engines: int) -> None:
        """A replica of a service: its engine calls, and how many engine replicas it can call."""
        await self._put(_load_note(service, replica), _reported.dump_json(_Reported(load, engines)))

    async def report_workload(self, replica: str, workload: Workload) -> None:
        """An orchestrator: what it knows of the work to come."""
        await self._put(_workload_note(replica), _workload_adapter.dump_json(workload))

    async def withdraw_load(self, service: Service, replica: str) -> None:
        """The replica ends: its calls are no load any more."""
        await self._take_down(_load_note(service, replica))

    async def withdraw_workload(self, replica: str) -> None:
        await self._take_down(_workload_note(replica))

    async def read(self) -> View:
        """All that is reported and decided, as of one moment."""
        time, notes, decisions = await self._read([_NOTES, _DECISIONS], [_NOTE])
        reports, workloads = [], []
        for name, note in _pairs(notes):
            at, _, payload = note.partition(b" ")
            kind, *who = name.decode().split(" ")
            if kind == "load" and len(who) == 2 and who[0] in _SERVICES:  # not one that only a newer version has
                service, replica = Service(who[0]), who[1]
                if reported := _read_as(_reported, payload, name):
                    reports.append(Report(service, replica, float(at), reported.load, reported.engines))
            elif kind == "outlook" and (workload := _read_as(_workload_adapter, payload, name)):
                workloads.append((float(at), workload))
        stored = {
            Pool(name.decode()): _read_as(_stored, value, name)
            for name, value in _pairs(decisions)
            if name.decode() in _POOLS
        }
        known = {pool: one for pool, one in stored.items() if one is not None}
        return View(
            float(time),
            tuple(reports),
            forecast_of(workloads),
            {pool: one.decided for pool, one in known.items()},
            {pool: one.state for pool, one in known.items()},
        )

    async def decide(self, pool: Pool, decision: ScalingDecision, now: float) -> None:
        """Put up what was decided at `now`, a time of these reports."""
        stored = _Stored(now, decision.replicas, decision.reasons, decision.state)
        with redis_errors():
            await self._redis.hset(_DECISIONS, pool, _stored.dump_json(stored))

    async def decision(self, pool: Pool) -> DecidedReplicas | None:
        """The newest decision; None when there is none that is fresh."""
        time, value = await self._decision([_DECISIONS], [pool])
        stored = None if value is None else _read_as(_stored, value, pool.encode())
        return stored.decided if stored and float(time) - stored.at <= self.ttl_s else None

    async def _put(self, name: str, payload: bytes) -> None:
        await self._report([_NOTES, _NOTE + name], [name, payload, round(self.ttl_s * 1000)])

    async def _take_down(self, name: str) -> None:
        with redis_errors():
            await self._redis.delete(_NOTE + name)


def _load_note(service: Service, replica: str) -> str:
    return f"load {service} {replica}"


def _workload_note(replica: str) -> str:
    return f"outlook {replica}"


def _pairs(flat: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _read_as(adapter: TypeAdapter[_T], payload: bytes, name: bytes) -> _T | None:
    try:
        return adapter.validate_json(payload)
    except (ValidationError, InvalidRequest) as error:
        _log.warning("cannot read the report %r, it is left out: %s", name.decode(), error)
        return None
