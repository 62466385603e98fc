"""Trying again: how long to pause, when to give up, and where a broken stream goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from ssr.client.deadline import Deadline
from ssr.core.errors import Overloaded, Unavailable

Reply = TypeVar("Reply")

#: What is tried again: the server did not take the call, or went away.
RETRIED = (Unavailable, Overloaded)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts, in seconds.

    They double from `first_s` to `max_s`, are never shorter than what the server asks for (RetryInfo), and up to half
    as long again by chance, so that many clients do not come back at once. After `patience_s` without success the
    error is raised although the call's deadline would allow more.
    """

    first_s: float = 0.2
    max_s: float = 10.0
    patience_s: float = 60.0

    def pause_s(self, attempt: int, asked_s: float) -> float:
        """The pause after the `attempt`-th failure in a row, from 0."""
        growing = min(self.max_s, self.first_s * 2.0 ** min(attempt, 32))
        return max(asked_s, growing) * random.uniform(1.0, 1.5)


DEFAULT_BACKOFF = Backoff()


class Retries:
    """The failures in a row of one call."""

    def __init__(self, backoff: Backoff, deadline: Deadline) -> None:
        self._backoff, self._deadline = backoff, deadline
        self._attempt = 0
        self._patience: Deadline | None = None

    def succeeded(self) -> None:
        """What fails from here on is a new row."""
        self._attempt, self._patience = 0, None

    async def pause(self, error: Unavailable | Overloaded) -> None:
        """Wait before the next attempt; raises `error` when there is no time for one."""
        if self._patience is None:
            self._patience = Deadline(self._backoff.patience_s)
        pause_s = self._backoff.pause_s(self._attempt, error.delay_s)
        if not (self._deadline.allows(pause_s) and self._patience.allows(pause_s)):
            raise error
        self._attempt += 1
        await asyncio.sleep(pause_s)


async def resumed(
    open_behind: Callable[[str], AsyncGenerator[Reply]],
    cursor_of: Callable[[Reply], str],
    cursor: str,
    retries: Retries,
) -> AsyncGenerator[Reply]:
    """A stream that goes on behind the last reply's cursor when the server goes away.

    `open_behind` opens the stream behind a cursor ("": at its beginning).
    """
    while True:
        try:
            async with aclosing(open_behind(cursor)) as replies:
                async for reply in replies:
                    retries.succeeded()
                    cursor = cursor_of(reply)
                    yield reply
            return
        except RETRIED as error:
            await retries.pause(error)
