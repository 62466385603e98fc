"""A mean that forgets, and that one odd sample cannot move far; and a rate of what has come lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunningAverage:
    """The mean of recent samples; each counts half as much after every `half_life_s` seconds.

    `prior` is the value without samples. It weighs as much as `prior_weight` fresh samples, so that the first ones
    do not decide alone, and the mean returns to it when samples stay out. A sample over `clip` times the mean counts
    as that: a change of level is followed within a few samples, one runaway is not.
    """

    prior: float
    half_life_s: float = 600.0
    prior_weight: float = 2.0
    clip: float = 8.0
    total: float = 0.0
    weight: float = 0.0
    at: float = 0.0

    def value(self, now: float) -> float:
        kept = self._kept(now)
        return (self.prior * self.prior_weight + self.total * kept) / (self.prior_weight + self.weight * kept)

    def add(self, sample: float, now: float) -> RunningAverage:
        mean, kept = self.value(now), self._kept(now)
        counted = min(sample, self.clip * mean) if mean > 0 else sample
        return RunningAverage(
            self.prior,
            self.half_life_s,
            self.prior_weight,
            self.clip,
            total=self.total * kept + counted,
            weight=self.weight * kept + 1.0,
            at=max(now, self.at),
        )

    def evidence(self, now: float) -> float:
        """The weight of the samples, a fresh one being 1."""
        return self.weight * self._kept(now)

    def _kept(self, now: float) -> float:
        """What is left of the weight of the samples so far; a clock that went back forgets nothing."""
        return float(0.5 ** (max(now - self.at, 0.0) / self.half_life_s))


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
