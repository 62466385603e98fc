"""Few numbers that stand for many: percentiles, a summary, a ratio. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Summary:
    """`count` values of one unit, which the field's name says where a summary is used; all 0 when there are none."""

    count: int
    mean: float
    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        if not values:
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        ordered = sorted(values)
        mean = math.fsum(ordered) / len(ordered)
        return cls(len(ordered), mean, percentile(ordered, 50), percentile(ordered, 99), ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of the values, given in rising order, that at least `percent` % of them do not exceed.

    It is always a value that was measured (nearest rank).
    Raises: ValueError without values, or for a percentage outside 0..100.
    """
    if not ordered or not 0 <= percent <= 100:
        raise ValueError(f"no percentile {percent:g} of {len(ordered)} values")
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]


def share(part: float, whole: float) -> float:
    """`part / whole`; 0 where there is no whole."""
    return part / whole if whole else 0.0
