"""How many calls a replica takes at a time, as its refusals show. Pure: the caller gives the time.

Additive increase, multiplicative decrease, as TCP shares a line among those who do not know of each other: engines do
not say how many requests they take, and other services may use them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: What is left of the limit after a refusal: the rest is room for others. Of a replica that takes 16, two callers come
#: to have 7.5 each, and a single one 15.
_KEPT = 0.85
#: Seconds until the limit is one higher. A replica that is full refuses one call in that time.
_GROWTH_S = 2.0


@dataclass(slots=True)
class ConcurrencyLimit:
    """At most `most` calls at a time; fewer after one was refused, then slowly more again."""

    most: int
    _base: int = field(init=False)
    _refused_at: float = field(default=float("-inf"), init=False)
    _lowered_at: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        self._base = self.most

    def at(self, now: float) -> int:
        """How many calls the replica may run."""
        if self._base >= self.most:
            return self.most
        return min(self.most, self._base + int((now - self._refused_at) / _GROWTH_S))

    def refused(self, now: float, started: float, others: int) -> None:
        """The replica had no room for a call that went there at `started`, beside `others` of ours.

        Calls that went there before the last decrease only show what it holds: a burst counts once.
        """
        held = min(self.at(now), others)
        if started > self._lowered_at:
            held, self._lowered_at = round(held * _KEPT), now
        self._base, self._refused_at = max(1, held), now
