"""What was decided for a pool, for those who carry it out or show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecidedReplicas:
    """A pool is to have so many replicas: decided `at` (seconds since 1970, Redis's clock), for these reasons."""

    at: float
    replicas: int
    reasons: tuple[str, ...]
