"""One time limit over all that a call does: its attempts and the pauses between them."""

from __future__ import annotations

import math
import time

from ssr.core.errors import InvalidRequest, plain

#: gRPC ends a call by a clock of its own, which may be a little ahead.
_CLOCKS_DIFFER_S = 0.05


class Deadline:
    """The moment `timeout_s` seconds from now; None: never.

    Raises: InvalidRequest for a limit that is not a positive number.
    """

    def __init__(self, timeout_s: float | None) -> None:
        if timeout_s is not None and not (math.isfinite(timeout_s) and timeout_s > 0):
            raise InvalidRequest("timeout_s", f"must be a number of seconds over 0, or None; got {plain(timeout_s)}")
        self.timeout_s = timeout_s
        #: In seconds of the monotonic clock; without a limit infinite.
        self.end = math.inf if timeout_s is None else time.monotonic() + timeout_s

    @property
    def remaining_s(self) -> float | None:
        """Seconds left, at least 0; None: no limit."""
        return None if self.timeout_s is None else max(0.0, self.end - time.monotonic())

    @property
    def passed(self) -> bool:
        remaining = self.remaining_s
        return remaining is not None and remaining <= _CLOCKS_DIFFER_S
