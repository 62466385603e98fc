"""Followers of jobs: what they ask of Redis while nothing happens."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ssr.orchestrator.api import watch
from ssr.orchestrator.queue.followers import Followers
from ssr.orchestrator.queue.job_reader import EVENTS_AT_ONCE
from ssr.orchestrator.queue.job_store import JobStore
from ssr.orchestrator.queue.wakeups import EVENT, Wakeups
from ssr.v1 import reasoning_pb2


class Silent:
    """A job store whose one job does nothing."""

    def __init__(self, events: int = 0) -> None:
        self.events_left, self.looks = events, 0

    async def events(self, job_id: str, cursor: str) -> list[reasoning_pb2.Event]:
        self.looks += 1
        returned = min(self.events_left, EVENTS_AT_ONCE)
        self.events_left -= returned
        return [reasoning_pb2.Event(cursor=f"{self.looks}-{n}") for n in range(returned)]

    async def final(self, job_id: str) -> bool:
        return False


async def test_who_hears_nothing_looks_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand watchers of silent jobs look 33 times a second together, not a thousand times."""
    waits: list[float] = []
    looked = asyncio.Event()

    async def set_within(wakeup: asyncio.Event, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            looked.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(watch, "set_within", set_within)
    middling = partial(watch._LOOKS.pause_s, dice=lambda: 0.5)
    monkeypatch.setattr(watch, "_LOOKS", SimpleNamespace(pause_s=middling))
    store: Any = Silent()

    async def follow() -> None:
        async for _ in watch.follow(cast("JobStore", store), Followers(Wakeups()), "job-1"):
            pass

    task = asyncio.create_task(follow())
    await looked.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert waits == pytest.approx([2, 4, 8, 16, 30, 30, 30, 30])


async def test_a_long_journal_comes_in_pieces_and_at_once() -> None:
    store: Any = Silent(events=3 * EVENTS_AT_ONCE + 5)
    wakeups = Wakeups()
    seen = 0
    async with asyncio.timeout(5), aclosing(cast(Any, watch.follow(store, Followers(wakeups), "job-1"))) as events:
        async for _ in events:
            seen += 1
            if seen == 3 * EVENTS_AT_ONCE + 5:
                break
    assert store.looks == 4
    wakeups.notify(EVENT, "job-1")
