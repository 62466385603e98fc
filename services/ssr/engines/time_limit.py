"""A time limit for each of many waits, one after the other, that costs next to nothing while all is well."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


class TimeLimit:
    """What `asyncio.timeout_at` does for one wait, without a timer for each: a stream waits once for every token.

    Its one timer is moved when it goes off, and the waits in between only write down their deadlines. Close it in the
    end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._goes_off = math.inf
        self._deadline = math.inf
        self._waiting: asyncio.Task[object] | None = None
        self._expired = False

    async def within(self, wait: Awaitable[_T], deadline: float) -> _T:
        """What is waited for. Raises: TimeoutError past `deadline`, in the clock of the loop; whatever it raises."""
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        self._waiting, self._deadline, self._expired = task, deadline, False
        if self._timer is None or self._goes_off > deadline:
            self._set(deadline)
        try:
            return await wait
        except asyncio.CancelledError as error:
            if self._expired and task.uncancel() <= cancelled:
                raise TimeoutError from error
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, moment: float) -> None:
        self.close()
        self._timer, self._goes_off = self._loop.call_at(moment, self._look), moment

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:  # the next wait sets it again
            return
        if self._loop.time() < self._deadline:
            self._set(self._deadline)
            return
        self._expired = True
        self._waiting.cancel()
