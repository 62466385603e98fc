"""Blows to the cluster: which part, in which way, at which point of the work. A seed fixes all of it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from cluster import LEASE_S, Cluster, role_of


class Harm(StrEnum):
    """What is done to a part."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP+SIGCONT"


#: Seconds that a frozen part stands still: an orchestrator until others have taken its jobs over, so that it comes back
#: as a zombie; Redis for longer than its clients' socket timeout, so that they give up on it.
_FROZEN_S = {"orchestrator": 2.5 * LEASE_S, "redis": 6.5}

#: What every schedule has at least once, and how often each comes up beyond that.
_HARMS = {
    ("orchestrator", Harm.KILL): 6,
    ("orchestrator", Harm.FREEZE): 3,
    ("redis", Harm.KILL): 3,
    ("redis", Harm.FREEZE): 1,
    ("selector", Harm.KILL): 1,
    ("drafter", Harm.KILL): 2,
    ("verifier", Harm.KILL): 2,
    ("draft-engine", Harm.KILL): 3,
    ("target-engine", Harm.KILL): 3,
}
#: The share of the work before the first blow and after the last.
_QUIET = 0.05


@dataclass(frozen=True, slots=True)
class Blow:
    """`harm` to the part `victim` once `at` steps are committed."""

    at: int
    victim: str
    harm: Harm

    @property
    def role(self) -> str:
        return role_of(self.victim)


class Progress:
    """Counts committed steps, reports when there are enough, and whether anything happens at all."""

    def __init__(self) -> None:
        self.steps = self.jobs = 0
        self._waiting: list[tuple[int, int, asyncio.Event]] = []
        self._alive = asyncio.Event()

    def event(self, *, step: bool) -> None:
        """Something happened; `step`: a step that counts was committed."""
        self._alive.set()
        self.steps += step
        while self._waiting and self._waiting[0][0] <= self.steps:
            heapq.heappop(self._waiting)[2].set()

    async def reached(self, steps: int) -> None:
        """Returns once so many steps are committed."""
        if self.steps < steps:
            event = asyncio.Event()
            heapq.heappush(self._waiting, (steps, id(event), event))
            await event.wait()

    async def stalled(self, seconds: float) -> None:
        """Returns once nothing at all has happened for so long."""
        with suppress(TimeoutError):
            while True:
                self._alive.clear()
                await asyncio.wait_for(self._alive.wait(), seconds)


def schedule(seed: int, count: int, steps: int, names: Sequence[str]) -> list[Blow]:
    """At least `count` blows, spread at random over work of `steps` steps; each kind of blow comes at least once."""
    dice = Random(f"chaos {seed}")
    kinds = list(_HARMS)
    chosen = kinds + dice.choices(kinds, list(_HARMS.values()), k=max(0, count - len(kinds)))
    dice.shuffle(chosen)
    span = (1 - 2 * _QUIET) / len(chosen)
    blows = []
    for number, (role, harm) in enumerate(chosen):
        at = round(steps * (_QUIET + span * (number + dice.random())))
        victim = dice.choice([name for name in names if role_of(name) == role])
        blows.append(Blow(at, victim, harm))
    return blows


async def strike(cluster: Cluster, blows: Sequence[Blow], progress: Progress) -> None:
    """Deals the blows in order, each as soon as it is due and its victim serves; returns when all are dealt."""
    async with asyncio.TaskGroup() as group:
        for blow in blows:
            await progress.reached(blow.at)
            group.create_task(_deal(cluster, blow), name=f"{blow.harm} {blow.victim}")


async def _deal(cluster: Cluster, blow: Blow) -> None:
    if blow.harm is Harm.KILL:
        await cluster.kill(blow.victim)
    else:
        await cluster.freeze(blow.victim, _FROZEN_S[blow.role])
