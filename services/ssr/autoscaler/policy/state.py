"""What the policy remembers of one pool. Plain values, so that it can be stored and handed to the next leader."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from ssr.autoscaler.policy.signals import Engines


class Mark(NamedTuple):
    """A number of replicas at a time."""

    at: float
    replicas: int


@dataclass(frozen=True, slots=True)
class ScalingState:
    """One pool's replicas and recent past.

    `replicas` are asked for, `ready` of them serve. `since` is when this memory begins, `seen` the last decision.
    `wanted` are what lasting work asked for within the stabilisation window, oldest first and falling (a higher one
    makes all before it needless); `changes` are the numbers before each recent change; `idle_since` is when the last
    work was seen, `short_since` since when more is wanted than there is.
    """

    replicas: int
    ready: int
    since: float
    seen: float
    wanted: tuple[Mark, ...] = ()
    changes: tuple[Mark, ...] = ()
    idle_since: float | None = None
    short_since: float | None = None

    @classmethod
    def fresh(cls, engines: Engines, now: float) -> ScalingState:
        """Without a past: nothing is taken away before a whole window has been seen."""
        return cls(engines.ready + engines.starting, engines.ready, since=now, seen=now)

    @property
    def starting(self) -> int:
        return max(self.replicas - self.ready, 0)

    def observed(self, engines: Engines) -> ScalingState:
        """With the numbers as the cluster reports them: somebody else may have changed them."""
        return replace(self, replicas=engines.ready + engines.starting, ready=engines.ready)

    def resumed(self, now: float, window_s: float) -> ScalingState:
        """As it is, or without a past where nobody has looked for a whole window."""
        return (
            replace(self, since=now, wanted=(), idle_since=None, short_since=None)
            if now - self.seen > window_s
            else self
        )

    def remember(self, wanted: int, lasting: int, now: float, window_s: float, *, idle: bool) -> ScalingState:
        """`wanted` replicas now, `lasting` of them for work that goes on."""
        kept = tuple(mark for mark in self.wanted if mark.at > now - window_s and mark.replicas > lasting)
        return replace(
            self,
            seen=now,
            wanted=(*kept, Mark(now, lasting)),
            idle_since=_since(self.idle_since, now, idle),
            short_since=_since(self.short_since, now, wanted > self.replicas),
        )

    def changed(self, replicas: int, now: float, keep_s: float) -> ScalingState:
        """After a decision for `replicas`."""
        kept = tuple(mark for mark in self.changes if mark.at > now - keep_s)
        changes = kept if replicas == self.replicas else (*kept, Mark(now, self.replicas))
        return replace(self, replicas=replicas, changes=changes)

    def numbers(self, now: float, period_s: float) -> list[int]:
        """All numbers of replicas within the last `period_s` seconds."""
        return [self.replicas, *(mark.replicas for mark in self.changes if mark.at > now - period_s)]

    def grown_s(self, now: float) -> float:
        """Seconds since more was asked for; infinite where that is forgotten."""
        numbers = (*(mark.replicas for mark in self.changes), self.replicas)
        grown = [mark.at for mark, later in zip(self.changes, numbers[1:], strict=True) if later > mark.replicas]
        return now - grown[-1] if grown else math.inf

    def short_s(self, now: float) -> float:
        """Seconds for which more has been wanted than there is."""
        return 0.0 if self.short_since is None else now - self.short_since

    def idle_s(self, now: float) -> float:
        """Seconds without any work."""
        return 0.0 if self.idle_since is None else now - self.idle_since


def _since(before: float | None, now: float, holds: bool) -> float | None:
    """Since when something holds that held `before`, or None."""
    if not holds:
        return None
    return now if before is None else before
