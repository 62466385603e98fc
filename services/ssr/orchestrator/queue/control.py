"""What an operator wants of the queue's replicas: all of them pause, or some of them leave it."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.core.errors import NotFound, echoed
from ssr.orchestrator.queue.job_store import Clock
from ssr.orchestrator.queue.keys import DRAINED, PAUSED, REPLICAS, WAKEUPS
from ssr.runtime.redis.client import RedisClient, Script, pipelined

#: All replicas, in the place of a name, which is never this.
ALL = "*"
#: A replica without a report for so long is forgotten.
_FORGET_MS = 60_000


@dataclass(frozen=True, slots=True)
class OrchestratorState:
    """One replica as it reported itself last; `seen_ms` since 1970."""

    name: str
    jobs: int
    seen_ms: int
    drained: bool


@dataclass(frozen=True, slots=True)
class ControlState:
    """`paused_ms`: since when the queue is paused, ms since 1970; None: it is not."""

    paused_ms: int | None
    all_drained: bool
    replicas: tuple[OrchestratorState, ...]


class QueueControl:
    """Every method raises Unavailable while Redis cannot be reached, and bears being called twice."""

    def __init__(self, redis: RedisClient, now: Clock) -> None:
        self._redis, self._now = redis, now
        self._attend = Script(redis, "orchestrator/queue/scripts/queue/attend")

    async def attend(self, replica: str, jobs: int) -> bool:
        """This replica is here, with so many jobs in hand; whether it is to take no more and hand those back."""
        return bool(await self._attend([REPLICAS, DRAINED], [replica, self._now(), jobs, _FORGET_MS]))

    async def pause(self) -> None:
        await pipelined(self._redis, [("SET", PAUSED, self._now(), "NX")])

    async def resume(self) -> None:
        """End the pause and every drain."""
        await pipelined(self._redis, [("DEL", PAUSED), ("DEL", DRAINED), *_wakeups()])

    async def drain(self, replica: str) -> None:
        """One replica by its name, or ALL. Raises: NotFound."""
        if replica != ALL and replica not in {one.name for one in (await self.state()).replicas}:
            raise NotFound(f"replica: there is no {echoed(replica)}; `ssr queue` lists those that there are")
        await pipelined(self._redis, [("HSET", DRAINED, replica, self._now())])

    async def state(self) -> ControlState:
        paused, drained, reports = await pipelined(
            self._redis, [("GET", PAUSED), ("HKEYS", DRAINED), ("HGETALL", REPLICAS)]
        )
        names = {name.decode() for name in drained}
        pairs = reports.items() if isinstance(reports, dict) else zip(reports[::2], reports[1::2], strict=True)
        replicas = []
        for raw, report in pairs:
            name, (seen_ms, jobs) = raw.decode(), map(int, report.split())
            if seen_ms + _FORGET_MS >= self._now():
                replicas.append(OrchestratorState(name, jobs, seen_ms, bool({name, ALL} & names)))
        replicas.sort(key=lambda one: one.name)
        return ControlState(None if paused is None else int(paused), ALL in names, tuple(replicas))


def _wakeups() -> list[tuple[str, str, str]]:
    return [("PUBLISH", WAKEUPS, f"{what} queue") for what in ("queued", "released")]
