"""When a replica that failed may be tried again. Pure: the caller gives the time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Circuit:
    """The health of one replica, as its last calls showed it.

    A failure closes it off for `first_delay_s`, doubled with each further failure in a row up to `max_delay_s`. After
    that one call may probe it; its success makes the replica whole, its failure closes it off for longer.
    """

    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    failures: int = field(default=0, init=False)
    reopens_at: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)

    def allows(self, now: float) -> bool:
        """Whether a call may go to the replica."""
        return now >= self.reopens_at and not (self.failures and self._probing)

    def started(self) -> None:
        """A call goes to the replica."""
        self._probing = self.failures > 0

    def succeeded(self) -> None:
        self.failures, self.reopens_at, self._probing = 0, 0.0, False

    def failed(self, now: float) -> None:
        self._probing = False
        if now < self.reopens_at:
            return  # the calls that were running when it broke are one failure, not many
        self.failures += 1
        self.reopens_at = now + min(self.max_delay_s, self.first_delay_s * 2.0 ** (self.failures - 1))

    def overloaded(self, now: float, delay_s: float) -> None:
        """It lives but has no room: leave it alone for as long as it asks."""
        self._probing = False
        self.reopens_at = max(self.reopens_at, now + min(delay_s, self.max_delay_s))

    def abandoned(self) -> None:
        """The call ended without showing anything, by cancellation."""
        self._probing = False
