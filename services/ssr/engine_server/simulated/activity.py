"""Counting what the engine has done, for tests and for people who watch a demonstration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Activity:
    """Generations since the engine started. Each is in flight until it is completed, cancelled or failed.

    Token counts are of all requests: `prompt_tokens` whole prompts, `cached_tokens` the part that the prefix cache
    had, `generated_tokens` what was written, also by requests that were cancelled later.
    """

    requests: int = 0
    in_flight: int = 0
    completed: int = 0
    cancelled: int = 0  #: the client went away
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0

    @contextmanager
    def request(self) -> Iterator[Visit]:
        """One generation, from its arrival to its end."""
        visit = Visit()
        self.requests += 1
        self.in_flight += 1
        try:
            yield visit
        except (asyncio.CancelledError, GeneratorExit):
            visit.left = True
            raise
        finally:
            self.in_flight -= 1
            # The reader leaves after the last token, too: that is no cancellation.
            if visit.complete:
                self.completed += 1
            elif visit.left:
                self.cancelled += 1
            else:
                self.failed += 1


@dataclass(slots=True)
class Visit:
    """One generation; `complete` once its last token is ready, `left` when the client took no more."""

    complete: bool = False
    left: bool = False
