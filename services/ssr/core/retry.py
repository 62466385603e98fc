"""When to try again. Pure: the caller gives the time and rolls the dice.

One rule for all who do: pauses double, are never shorter than what the other side asks for, and are up to half as long
again by chance, so that many do not come back at once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

#: A pause is up to so many times as long by chance.
LONGEST = 1.5
#: Doublings after which a pause is at any bound.
_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts, in seconds.

    They double from `first_s` to `max_s`, are never shorter than what the server asks for (RetryInfo, Retry-After), and
    up to half as long again by chance. After `patience_s` without success, or `attempts`, the error is raised although
    the call's deadline would allow more. `overloaded` False: a server without room is not asked again.
    """

    first_s: float = 0.2
    max_s: float = 10.0
    patience_s: float = 60.0
    attempts: float = math.inf
    overloaded: bool = True

    def pause_s(self, attempt: int, asked_s: float, *, dice: Callable[[], float] = random.random) -> float:
        """The pause after the `attempt`-th failure in a row, from 0; `dice` gives 0..1."""
        growing = min(self.max_s, self.first_s * 2.0 ** min(attempt, _DOUBLINGS))
        return max(asked_s, growing) * (1.0 + (LONGEST - 1.0) * dice())


class FailuresInARow:
    """The failures in a row of one call, which has to be over at `deadline`, in the clock of its caller.

    The deadline may be moved.
    """

    def __init__(
        self, backoff: Backoff, deadline: float = math.inf, *, dice: Callable[[], float] = random.random
    ) -> None:
        self._backoff, self._dice, self.deadline = backoff, dice, deadline
        self._patient_until = math.inf
        self.count = 0

    def succeeded(self) -> None:
        """What fails from here on is a new row."""
        self.count, self._patient_until = 0, math.inf

    def failed(self, now: float, asked_s: float = 0.0) -> float | None:
        """The seconds to wait before the next attempt; None when there is to be none."""
        if self.count == 0:
            self._patient_until = now + self._backoff.patience_s
        pause = self._backoff.pause_s(self.count, asked_s, dice=self._dice)
        self.count += 1
        if self.count >= self._backoff.attempts or now + pause >= min(self.deadline, self._patient_until):
            return None
        return pause
