"""One generation as it goes through the server: its tokens, its text, and where the time went."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic

from ssr.engine_server.server.backend import Backend, GenerateRequest, GenerationEnd, TokenEvent


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent on a request: checking it, waiting for a place in the batch, generating, and all of it."""

    validation: float
    queue: float
    inference: float
    total: float


@dataclass(slots=True)
class ServedGeneration:
    """Gathers the events of `request`, received at `received` and validated at `accepted` (monotonic seconds)."""

    request: GenerateRequest
    received: float
    accepted: float = field(default_factory=monotonic)
    events: list[TokenEvent] = field(default_factory=list)

    async def follow(self, backend: Backend) -> AsyncGenerator[Sequence[TokenEvent], None]:
        """The backend's events, noted here before they are passed on; closing this closes the backend's work."""
        async with aclosing(backend.generate(self.request)) as arriving:
            async for events in arriving:
                self.events += events
                yield events
                if events[-1].end is not None:
                    return

    @property
    def end(self) -> GenerationEnd | None:
        """Set once the generation is complete."""
        return self.events[-1].end if self.events else None

    @property
    def text(self) -> str:
        return "".join(event.token.text for event in self.events if not event.token.special)

    @property
    def seed(self) -> int | None:
        """Reported only where it mattered."""
        return None if self.request.greedy else self.request.seed

    def timings(self, end: GenerationEnd) -> Timings:
        now = monotonic()
        return Timings(
            validation=self.accepted - self.received,
            queue=end.queue_s,
            inference=max(now - self.accepted - end.queue_s, 0.0),
            total=now - self.received,
        )
