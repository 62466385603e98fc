"""A mean that forgets, and that one odd sample cannot move far."""

from __future__ import annotations

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

    def _kept(self, now: float) -> float:
        """What is left of the weight of the samples so far; a clock that went back forgets nothing."""
        return float(0.5 ** (max(now - self.at, 0.0) / self.half_life_s))
