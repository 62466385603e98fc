"""The jobs that one orchestrator has in hand, and what waits in the queue of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry

from ssr.core.job import Priority
from ssr.engines.load import Pool
from ssr.runtime.telemetry.readings import Reading, Readings


class InHand(Protocol):
    """A job that a replica works on."""

    @property
    def priority(self) -> Priority: ...

    @property
    def paths(self) -> int: ...


class WaitingWork(Protocol):
    """What nobody has taken yet, of one priority; `oldest_ms` is since 1970."""

    @property
    def jobs(self) -> int: ...

    @property
    def paths(self) -> int: ...

    @property
    def oldest_ms(self) -> int | None: ...


class WorkerMetrics:
    """Reads the jobs in hand when it is asked; `limits` are the paths that each priority may have."""

    def __init__(
        self,
        registry: CollectorRegistry,
        in_hand: Callable[[], Iterable[InHand]],
        limits: Mapping[Priority, int],
    ) -> None:
        self._in_hand, self._limits = in_hand, limits
        labels = ("priority",)
        Readings("ssr_worker_jobs", "Jobs in hand.", labels, lambda: self._sum(lambda job: 1), registry)
        Readings("ssr_worker_paths", "Paths in hand.", labels, lambda: self._sum(lambda job: job.paths), registry)
        Readings("ssr_worker_paths_limit", "Paths that may be in hand at most.", labels, self._most, registry)

    def _sum(self, size: Callable[[InHand], int]) -> Iterable[Reading]:
        sums = dict.fromkeys(Priority, 0)
        for job in self._in_hand():
            sums[job.priority] += size(job)
        return [((priority,), value) for priority, value in sums.items()]

    def _most(self) -> Iterable[Reading]:
        return [((priority,), limit) for priority, limit in self._limits.items()]


class ParkingMetrics:
    """Reads when asked how many calls for steps wait for an engine pool without a ready replica."""

    def __init__(self, registry: CollectorRegistry, calls: Callable[[], Mapping[Pool, int]]) -> None:
        def read() -> Iterable[Reading]:
            return [((pool,), count) for pool, count in calls().items()]

        Readings("ssr_worker_calls_parked", "Calls that wait for a pool without an engine.", ("pool",), read, registry)


class QueueMetrics:
    """Shows what `report` was given last; nothing while the queue is not known. `now`: seconds since 1970."""

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._now = now
        self._backlog: Mapping[Priority, WaitingWork] = {}
        self._paused_ms: int | None = None
        labels = ("priority",)
        Readings("ssr_queue_jobs", "Jobs nobody has taken.", labels, lambda: self._read(lambda w: w.jobs), registry)
        Readings("ssr_queue_paths", "Their paths.", labels, lambda: self._read(lambda w: w.paths), registry)
        Readings("ssr_queue_oldest_seconds", "Age of the oldest one.", labels, lambda: self._read(self._age), registry)
        Readings("ssr_queue_paused_seconds", "For how long it is paused; 0: it is not.", (), self._paused, registry)

    def report(self, backlog: Mapping[Priority, WaitingWork], paused_ms: int | None) -> None:
        """`paused_ms`: since when the queue is paused, ms since 1970; 0: it is not, None: not known."""
        self._backlog, self._paused_ms = backlog, paused_ms

    def _paused(self) -> Iterable[Reading]:
        if self._paused_ms is None:
            return []
        return [((), max(0.0, self._now() - self._paused_ms / 1000) if self._paused_ms else 0.0)]

    def _read(self, value: Callable[[WaitingWork], float]) -> Iterable[Reading]:
        return [((priority,), value(waiting)) for priority, waiting in self._backlog.items()]

    def _age(self, waiting: WaitingWork) -> float:
        return 0.0 if waiting.oldest_ms is None else max(0.0, self._now() - waiting.oldest_ms / 1000)
