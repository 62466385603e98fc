"""Scaling by the length of a queue as Kubernetes' HorizontalPodAutoscaler does it (KEDA gives it the number). Pure.

Source: kubernetes.io, "Horizontal Pod Autoscaling": algorithm details and configurable scaling behaviour, with the
defaults reported there; an external metric of type AverageValue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ssr_bench.autoscale.life import Change


@dataclass(frozen=True, slots=True)
class HpaSettings:
    """`target` is the part of the metric that one replica is for. Times are in seconds."""

    target: float
    min_replicas: int = 1
    max_replicas: int = 24
    sync_s: float = 15.0
    tolerance: float = 0.1
    #: Growth in `period_s`: to this multiple, or by so many, whichever is more.
    up_factor: float = 2.0
    up_step: int = 4
    #: What may go in `period_s`, as a part of all.
    down_fraction: float = 1.0
    period_s: float = 15.0
    down_window_s: float = 300.0
    #: Growth is to the least that was desired within this time; 0: at once.
    up_window_s: float = 0.0


@dataclass(slots=True)
class Hpa:
    """The controller of one pool; ask it every `sync_s`."""

    settings: HpaSettings
    _recommended: list[Change] = field(default_factory=list)
    _moves: list[Change] = field(default_factory=list)

    def decide(self, metric: float, replicas: int, now: float) -> int:
        """How many replicas there are to be, where there are `replicas` now and the metric's total is `metric`."""
        limits = self.settings
        wanted = self._stabilised(self._desired(metric, replicas), replicas, now)
        self._moves = [move for move in self._moves if now - move.at_s < limits.period_s]
        if wanted > replicas:
            start = replicas - sum(max(move.value, 0) for move in self._moves)
            most = max(math.ceil(start * limits.up_factor), start + limits.up_step)
            wanted = max(min(wanted, most), replicas)
        elif wanted < replicas:
            start = replicas - sum(min(move.value, 0) for move in self._moves)
            wanted = min(max(wanted, math.floor(start * (1 - limits.down_fraction))), replicas)
        wanted = min(max(wanted, limits.min_replicas), limits.max_replicas)
        if wanted != replicas:
            self._moves.append(Change(now, wanted - replicas))
        return wanted

    def _desired(self, metric: float, replicas: int) -> int:
        """What the metric alone asks for; within the tolerance, what there is."""
        target = self.settings.target
        if replicas and abs(metric / (target * replicas) - 1.0) <= self.settings.tolerance:
            return replicas
        return math.ceil(metric / target)

    def _stabilised(self, desired: int, replicas: int, now: float) -> int:
        """Up to the least that was desired within the window of growth; down to the most within the other one."""
        limits = self.settings
        desired = min(max(desired, limits.min_replicas), limits.max_replicas)
        window_s = max(limits.down_window_s, limits.up_window_s)
        self._recommended = [one for one in self._recommended if now - one.at_s < window_s]
        self._recommended.append(Change(now, desired))
        least = min([desired, *self._within(limits.up_window_s, now)])
        most = max([desired, *self._within(limits.down_window_s, now)])
        return min(max(replicas, least), most)

    def _within(self, window_s: float, now: float) -> list[int]:
        return [one.value for one in self._recommended if now - one.at_s < window_s]
