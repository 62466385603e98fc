"""How long things take: pure durations from counts, and the pacing of one request by an injected clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ssr.engine_server.simulated.settings import Latency

#: Seconds owed before it is worth going to sleep for them.
NAP_S = 0.02
#: Tokens after which a request without any latency lets the others have a turn.
_TURN_TOKENS = 64

Now = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Durations in seconds, scaled by `settings.time_scale`."""

    settings: Latency

    @property
    def startup_s(self) -> float:
        return self.settings.startup_s * self.settings.time_scale

    def prefill_s(self, new_tokens: int) -> float:
        """Processing the tokens of a prompt that no cache has."""
        return new_tokens / self.settings.prefill_tokens_per_s * self.settings.time_scale

    def decode_s(self, batch: int) -> float:
        """One pass that gives each of `batch` requests a token."""
        return (self.settings.decode_base_s + self.settings.decode_per_request_s * batch) * self.settings.time_scale


class PrefillLine:
    """Prompts are processed one after the other: each waits for those before it."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def join(self, now: float, duration_s: float) -> float:
        """Take the next place, at time `now`; returns the seconds from now until this prompt is done."""
        self._free_at = max(self._free_at, now) + duration_s
        return self._free_at - now


class Pacer:
    """Keeps one request on its schedule, with few sleeps and without drifting when sleeps are inexact."""

    def __init__(self, now: Now, sleep: Sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._due = now()
        self._calls = 0

    def owe(self, duration_s: float, *, settle: bool = False) -> bool:
        """Put off `duration_s`. Whether it is time to `sleep`: for more than `NAP_S` (with `settle`, for anything), or
        where nothing takes time, because the others want a turn."""
        self._due += duration_s
        self._calls += 1
        if self._due - self._now() > (0.0 if settle else NAP_S):
            return True
        return duration_s <= 0 and self._calls % _TURN_TOKENS == 0

    async def sleep(self) -> None:
        """Sleep off what is owed."""
        await self._sleep(max(self._due - self._now(), 0.0))
