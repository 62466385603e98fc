"""A mean that forgets, and that one odd sample cannot move far; and a rate of what has come lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunningAverage:
    """The mean of recent samples; each counts half as much when `half_life` more have come.

    It forgets by samples and not by time: what yesterday's last jobs were is the best guess for this morning's first.
    `prior` is the value without samples; it weighs as much as `prior_weight` of them, and is forgotten as they are. A
    sample over `clip` times the mean counts as that: a change of level is followed within a few samples, one runaway is
    not. `weight` is that of the samples, the newest being 1.
    """

    prior: float
    half_life: float = 50.0
    prior_weight: float = 2.0
    clip: float = 8.0
    total: float = 0.0
    weight: float = 0.0
    prior_kept: float = 1.0

    @property
    def value(self) -> float:
        weight = self.prior_weight * self.prior_kept
        return (self.prior * weight + self.total) / (weight + self.weight)

    def add(self, sample: float) -> RunningAverage:
        mean, kept = self.value, 0.5 ** (1 / self.half_life)
        counted = min(sample, self.clip * mean) if mean > 0 else sample
        return RunningAverage(
            self.prior,
            self.half_life,
            self.prior_weight,
            self.clip,
            total=self.total * kept + counted,
            weight=self.weight * kept + 1.0,
            prior_kept=self.prior_kept * kept,
        )


class Arrivals:
    """How much has come lately: per second, over the last `window_s` seconds."""

    def __init__(self, window_s: float = 15.0) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, count: int, now: float) -> None:
        self._seen.append((now, count))
        self._total += count

    def per_s(self, now: float) -> float:
        while self._seen and now - self._seen[0][0] > self._window_s:
            self._total -= self._seen.popleft()[1]
        return self._total / self._window_s
