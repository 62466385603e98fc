"""Those who follow jobs in this process: what is appended here comes to them without being read from Redis again.

Redis stays the truth, and whoever misses anything reads it: an event goes to a follower only where it comes right
behind the last one that it has; else, and for all that others append, it has to look. The wake-up of an event that
was handed over here comes back from Redis, too, and then wakes nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ssr.orchestrator.queue.stored_job import stored_event
from ssr.orchestrator.queue.wakeups import EVENT, Wakeups
from ssr.v1.reasoning_pb2 import Event

#: Events that wait for a slow follower at most; one that is further behind reads them.
_KEPT = 64

#: Hands over an event that was appended: the cursor before it, its own, and its payload.
HandOver = Callable[[str, str, bytes], None]


class Following:
    """One who follows a job. `news` is set when there may be more; `look`, when that may be in Redis alone."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.look = True
        self._offered: list[tuple[str, Event]] = []

    def set(self) -> None:
        """Something happened somewhere."""
        self.look = True
        self.news.set()

    def offer(self, before: str, event: Event) -> None:
        """An event that was appended here, behind the one at `before`."""
        if len(self._offered) < _KEPT:
            self._offered.append((before, event))
        else:
            self.look = True
        self.news.set()

    def behind(self, cursor: str) -> list[Event]:
        """What was offered and follows the cursor, without a gap; behind a gap there is reason to look."""
        offered, self._offered = self._offered, []
        found: list[Event] = []
        for before, event in offered:
            if before == cursor:
                found.append(event)
                cursor = event.cursor
            elif _place(event.cursor) > _place(cursor):
                self.look = True
                break
        return found


class Followers:
    """All who follow jobs here; `wakeups` are those of this process."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._following: dict[str, set[Following]] = {}

    @contextmanager
    def following(self, job_id: str) -> Iterator[Following]:
        """Follow a job while the block runs; it looks first."""
        following = Following()
        self._following.setdefault(job_id, set()).add(following)
        try:
            with self._wakeups.waking(EVENT, job_id, following):
                yield following
        finally:
            self._following[job_id].discard(following)
            if not self._following[job_id]:
                del self._following[job_id]

    @contextmanager
    def appending(self, job_id: str) -> Iterator[HandOver]:
        """The block appends an event and hands it over; all followers look where it does not, for it may be there."""
        if job_id not in self._following:
            yield _to_nobody
            return
        handed = False

        def hand_over(before: str, cursor: str, payload: bytes) -> None:
            nonlocal handed
            handed, event = True, stored_event(job_id, cursor, payload)
            for following in self._following.get(job_id, ()):
                following.offer(before, event)

        self._wakeups.expect(EVENT, job_id)
        try:
            yield hand_over
        finally:
            if not handed:
                self._wakeups.notify(EVENT, job_id)


def _to_nobody(before: str, cursor: str, payload: bytes) -> None:
    """Nobody follows the job here."""


def _place(cursor: str) -> tuple[int, int]:
    """Where in its stream a cursor is; "" is the beginning."""
    milliseconds, _, number = cursor.partition("-")
    return int(milliseconds or 0), int(number or 0)
