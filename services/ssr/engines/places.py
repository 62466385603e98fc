"""The places on an engine's replicas, and the queue of the calls that wait for one.

A call waits here, not in an engine, until a replica has room: the wait is fair (first come, first served, and batch
work behind the rest; `waiting`), can be seen and is left by cancelling.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ssr.core.errors import NoEngine, Overloaded, SsrError, Unavailable
from ssr.engines.base import Engine
from ssr.engines.circuit import Circuit
from ssr.engines.concurrency import ConcurrencyLimit
from ssr.engines.pool_state import ReplicaState
from ssr.engines.routing import choose
from ssr.engines.waiting import WaitingCalls

_log = logging.getLogger(__name__)

#: How long a call waits for a pool without any engine before it is answered so; whoever made it may wait on.
_NO_ENGINE_S = 5.0
#: The shortest wait for a replica. A loop whose timers count milliseconds (uvloop) comes up to one early, and would
#: come again and again until the moment is there.
_NAP_S = 0.001
#: For so long after a call that somebody waits for, more of such are expected, in seconds: until then batch work has
#: one in so many of a replica's places (a running call keeps its own), for every call more makes all others slower.
_AWAITED_S = 10.0
_BATCH_PART = 4
#: The pause of a replica that is full of others' calls, where it names none.
_FULL_S = 0.25


@dataclass(slots=True, eq=False)
class Replica:
    """One replica, the calls on it, and how it fares."""

    url: str
    engine: Engine
    limit: ConcurrencyLimit
    running: int = 0
    batch: int = 0  #: of those that run, calls with a priority below 0
    circuit: Circuit = field(default_factory=Circuit)
    absent: bool = False  #: whether nobody was there at the last call; one that fails is there

    def failed(self, error: Exception, now: float) -> None:
        self.absent = isinstance(error, NoEngine)
        self.circuit.failed(now)

    def succeeded(self) -> None:
        self.absent = False
        self.circuit.succeeded()

    def refused(self, error: Overloaded, now: float, started: float) -> None:
        """It had no room for a call of ours that still counts as running."""
        others = self.running - 1
        self.limit.refused(now, started, others)
        # With others of ours at work, room comes with their ends.
        self.circuit.overloaded(now, error.delay_s or (0.0 if others else _FULL_S))


@dataclass(slots=True, eq=False)
class _Waiter:
    affinity: str
    tried: Sequence[str]
    place: asyncio.Future[Replica]
    priority: int


class Places:
    """The replicas that may be called, by URL, and those that only finish what they run."""

    def __init__(
        self, max_in_flight: int, timeout_s: float, now: Callable[[], float], *, gathered: bool = False
    ) -> None:
        self._max_in_flight, self._timeout_s, self._now, self._gathered = max_in_flight, timeout_s, now, gathered
        self.replicas: dict[str, Replica] = {}
        self.leaving: list[Replica] = []
        self._waiters: WaitingCalls[_Waiter] = WaitingCalls()
        self._wake_up: asyncio.TimerHandle | None = None
        self._awaited_until = -math.inf
        self.away = False  #: whether no replica answers; that is in the log

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def absent(self) -> bool:
        """Whether there is no engine at all. One that fails is there, and its callers get its failures."""
        return all(replica.absent for replica in self.replicas.values())

    @property
    def running(self) -> int:
        return sum(replica.running for replica in (*self.replicas.values(), *self.leaving))

    def states(self) -> tuple[ReplicaState, ...]:
        """The replicas that may be called, as they are now."""
        now = self._now()
        return tuple(
            ReplicaState(r.url, r.running, r.circuit.allows(now), r.circuit.failures > 0)
            for r in self.replicas.values()
        )

    def add(self, url: str, engine: Engine) -> None:
        self.replicas[url] = Replica(url, engine, ConcurrencyLimit(self._max_in_flight))

    def remove(self, url: str) -> None:
        self.leaving.append(self.replicas.pop(url))

    def stop(self) -> None:
        if self._wake_up:
            self._wake_up.cancel()

    def look_who_answers(self) -> None:
        """One line of the log when the last replica is gone or fails, and one when a replica is there again."""
        known = len(self.replicas)
        away = all(replica.circuit.failures for replica in self.replicas.values())
        if away and not self.away:
            _log.warning("the pool has no engine, and calls wait: %d known, none answers", known)
        elif self.away and not away:
            _log.info("the pool has an engine again: %d known", known)
        self.away = away

    async def take(self, affinity: str, tried: Sequence[str], deadline: float, priority: int) -> Replica:
        """A replica with one of its places taken, as soon as there is one; `give_back` gives it back.

        Raises: Unavailable, and NoEngine where there is no engine at all.
        """
        now = self._now()
        if priority >= 0:
            self._awaited_until = now + _AWAITED_S
        replica = None if self._waiters.before(priority) else self._taken(affinity, tried, now, priority)
        if replica is not None:
            return replica
        return await self._wait(
            _Waiter(affinity, tried, asyncio.get_running_loop().create_future(), priority), deadline
        )

    def give_back(self, replica: Replica, priority: int) -> None:
        self._vacate(replica, priority)
        self.seat()

    def _vacate(self, replica: Replica, priority: int) -> None:
        replica.running -= 1
        replica.batch -= priority < 0

    async def _wait(self, waiter: _Waiter, deadline: float) -> Replica:
        self._waiters.add(waiter)
        self.seat()  # sets the clock for the replica that may be tried again first
        no_engine_at = asyncio.get_running_loop().time() + _NO_ENGINE_S
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(deadline, no_engine_at)):
                    return await asyncio.shield(waiter.place)
            if self.absent:
                raise self._missing(NoEngine, _NO_ENGINE_S)
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(waiter.place)
        except BaseException as error:
            self._stand_up(waiter)
            if isinstance(error, TimeoutError):
                raise self._missing(NoEngine if self.absent else Unavailable, self._timeout_s) from error
            raise

    def _stand_up(self, waiter: _Waiter) -> None:
        """Leaves the queue, or gives back the place that came in the moment of leaving."""
        if waiter.place.done():
            replica = waiter.place.result()
            self._vacate(replica, waiter.priority)
            replica.circuit.abandoned()
        else:
            waiter.place.cancel()
            self._waiters.remove(waiter)
        self.seat()

    def _missing(self, kind: type[Unavailable], waited_s: float) -> SsrError:
        known = f"{len(self.replicas)} are known, {self.running} calls run on them"
        return kind(
            f"no replica of the engine took the call within {min(waited_s, self._timeout_s):g} s ({known}): "
            "check that the engine runs and is ready, or add replicas"
        )

    def seat(self) -> None:
        """Gives free places to the calls that wait, in the order of their turns."""
        now = self._now()  # one moment for all: a replica too early to take and too late to wait for is never tried
        while self._seat_one(now):
            pass
        self._set_wake_up(now)

    def _seat_one(self, now: float) -> bool:
        for waiter in self._waiters.turns():
            replica = self._taken(waiter.affinity, waiter.tried, now, waiter.priority)
            if replica is not None:
                self._waiters.took(waiter)
                waiter.place.set_result(replica)
                return True
        return False

    def _taken(self, affinity: str, tried: Sequence[str], now: float, priority: int) -> Replica | None:
        """Takes a place on the best replica, on one not tried before if there is any."""
        allowed = [r for r in self.replicas.values() if r.circuit.allows(now) and r.running < r.limit.at(now)]
        if priority < 0 and now < self._awaited_until:  # an engine full of batch work is slow for everybody
            allowed = [r for r in allowed if r.batch < max(1, r.limit.at(now) // _BATCH_PART)]
        untried = [replica for replica in allowed if replica.url not in tried]
        replica = choose(untried or allowed, affinity, max_in_flight=self._max_in_flight, gathered=self._gathered)
        if replica is not None:
            replica.running += 1
            replica.batch += priority < 0
            replica.circuit.started()
        return replica

    def _set_wake_up(self, now: float) -> None:
        """Comes back when the next replica may be tried again, if a call waits for that."""
        self.stop()
        self._wake_up = None
        if not self._waiters:
            return
        pauses = [r.circuit.reopens_at - now for r in self.replicas.values() if r.circuit.reopens_at > now]
        if self._awaited_until > now:
            pauses.append(self._awaited_until - now)
        if pauses:
            self._wake_up = asyncio.get_running_loop().call_later(max(_NAP_S, min(pauses)), self.seat)
