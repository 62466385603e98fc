"""Trying again: how long to pause, when to give up, and where a broken stream goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from ssr.client.deadline import Deadline
from ssr.core.errors import Overloaded, Unavailable
from ssr.core.retry import Backoff, FailuresInARow

Reply = TypeVar("Reply")

#: What is tried again: the server did not take the call, or went away.
RETRIED = (Unavailable, Overloaded)


DEFAULT_BACKOFF = Backoff()


class Retries:
    """The failures in a row of one call."""

    def __init__(self, backoff: Backoff, deadline: Deadline) -> None:
        self._failures = FailuresInARow(backoff, deadline.end)
        self._overloaded = backoff.overloaded

    def succeeded(self) -> None:
        """What fails from here on is a new row."""
        self._failures.succeeded()

    async def pause(self, error: Unavailable | Overloaded) -> None:
        """Wait before the next attempt; raises `error` when there is to be none."""
        if isinstance(error, Overloaded) and not self._overloaded:
            raise error
        pause_s = self._failures.failed(time.monotonic(), error.delay_s)
        if pause_s is None:
            raise error
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
