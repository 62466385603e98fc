"""The lives of engine replicas, and what they show: who was asked for, who served, what it cost. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Change(NamedTuple):
    """From `at_s` on it is `value`."""

    at_s: float
    value: int


@dataclass(frozen=True, slots=True)
class Life:
    """One replica: asked for, serving, reported to stop (nothing new comes to it), ended; None: not (yet)."""

    asked_s: float
    ready_s: float | None = None
    stopped_s: float | None = None
    ended_s: float | None = None

    def since(self, start_s: float, factor: float) -> Life:
        """With the times counted from `start_s`, and `factor` times as long."""

        def moved(at_s: float | None) -> float | None:
            return None if at_s is None else (at_s - start_s) * factor

        return Life((self.asked_s - start_s) * factor, *map(moved, (self.ready_s, self.stopped_s, self.ended_s)))

    def paid_s(self, day_s: float) -> float:
        """How long it was there, within a day of `day_s` seconds: from the asking to its end, start and drain too."""
        return max(min(_or_never(self.ended_s), day_s) - max(self.asked_s, 0.0), 0.0)


def asked(lives: Iterable[Life]) -> Sequence[Change]:
    """The number of replicas asked for, over time."""
    return _number((life.asked_s, life.stopped_s) for life in lives)


def ready(lives: Iterable[Life]) -> Sequence[Change]:
    """The number of replicas that serve, over time."""
    return _number((life.ready_s, life.stopped_s) for life in lives if life.ready_s is not None)


def within(changes: Sequence[Change], seconds: float) -> Sequence[Change]:
    """The changes of a day, from the value that it begins with."""
    later = [change for change in changes if 0.0 < change.at_s < seconds]
    return [Change(0.0, value_at(changes, 0.0)), *later]


def value_at(changes: Sequence[Change], at_s: float) -> int:
    """The value at a time; 0 before the first change."""
    return next((change.value for change in reversed(changes) if change.at_s <= at_s), 0)


def _number(spans: Iterable[tuple[float | None, float | None]]) -> Sequence[Change]:
    steps: dict[float, int] = {}
    for start_s, end_s in spans:
        for at_s, step in ((start_s, 1), (end_s, -1)):
            if at_s is not None:
                steps[at_s] = steps.get(at_s, 0) + step
    changes, value = [], 0
    for at_s, step in sorted(steps.items()):
        value += step
        if step:
            changes.append(Change(at_s, value))
    return changes


def _or_never(at_s: float | None) -> float:
    return math.inf if at_s is None else at_s
