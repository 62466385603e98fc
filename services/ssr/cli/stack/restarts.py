"""When a part that died is started again, and when it is given up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """More than `deaths` deaths within `window_s` seconds are too many.

    The pause before a restart is `first_s`, and grows threefold with each death in the window, up to `max_s`.
    """

    deaths: int = 3
    window_s: float = 60.0
    first_s: float = 0.5
    max_s: float = 5.0


class Restarts:
    """The deaths of one part. Times are in seconds, of any clock that does not go back."""

    def __init__(self, limits: RestartLimits) -> None:
        self._limits = limits
        self._deaths: deque[float] = deque()

    def pause_after_death(self, now: float) -> float | None:
        """Seconds to wait before the restart, after one more death; None: give it up."""
        limits = self._limits
        self._deaths.append(now)
        while now - self._deaths[0] >= limits.window_s:
            self._deaths.popleft()
        count = len(self._deaths)
        if count > limits.deaths:
            return None
        return min(limits.max_s, limits.first_s * 3.0 ** (count - 1))
