"""Engine replicas that come and go: real servers with TGI's HTTP API, on simulated engines.

A replica is asked for, serves when its start-up is over, and is published then, as a headless Service publishes ready
pods. One that is to go is withdrawn first, finishes what it has, and ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self

from ssr.autoscaler.policy.signals import Engines
from ssr_bench.autoscale.life import Life

#: Serves one engine while it is entered, at the URL that it yields.
Serve = Callable[[], AbstractAsyncContextManager[str]]
#: Is told the URLs of the replicas that serve, whenever they change.
Publish = Callable[[Sequence[str]], None]


@dataclass(slots=True, eq=False)
class _Replica:
    life: Life
    url: str | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Fleet:
    """One pool's replicas. Use `running`.

    A replica serves `startup_s` seconds after it was asked for. For `linger_s` seconds after it was withdrawn requests
    may still come to it, from callers that have not seen that. Times of lives are those of `now`.
    """

    def __init__(
        self,
        serve: Serve,
        publish: Publish,
        *,
        startup_s: float,
        linger_s: float,
        now: Callable[[], float],
    ) -> None:
        self._serve, self._publish, self._now = serve, publish, now
        self._startup_s, self._linger_s = startup_s, linger_s
        self._replicas: list[_Replica] = []
        self._group = asyncio.TaskGroup()

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        serve: Serve,
        publish: Publish,
        *,
        replicas: int,
        startup_s: float,
        linger_s: float,
        now: Callable[[], float] = time.time,
    ) -> AsyncIterator[Self]:
        """A fleet whose first `replicas` serve at once; all of them end with the block."""
        fleet = cls(serve, publish, startup_s=startup_s, linger_s=linger_s, now=now)
        async with fleet._group:
            try:
                await fleet._begin(replicas)
                yield fleet
            finally:
                fleet.scale(0)

    @property
    def engines(self) -> Engines:
        """Those that serve, and those that will."""
        wanted = [one for one in self._replicas if not one.stop.is_set()]
        ready = sum(one.url is not None for one in wanted)
        return Engines(ready, len(wanted) - ready)

    @property
    def lives(self) -> Sequence[Life]:
        """Of all replicas there ever were."""
        return [one.life for one in self._replicas]

    def scale(self, replicas: int) -> None:
        """Ask for so many. The newest go first, so that those that are still starting do."""
        wanted = [one for one in self._replicas if not one.stop.is_set()]
        now = self._now()
        for one in wanted[replicas:]:
            one.life = replace(one.life, stopped_s=now)
            one.stop.set()
        for _ in range(replicas - len(wanted)):
            self._start(self._startup_s, now)

    async def _begin(self, replicas: int) -> None:
        """The first ones; whoever reads the file finds them there."""
        first = [self._start(0.0, self._now()) for _ in range(replicas)]
        self._report()
        for up in first:
            await up.wait()

    def _start(self, startup_s: float, now: float) -> asyncio.Event:
        """Start a replica; the event is set when it serves."""
        one, up = _Replica(Life(asked_s=now)), asyncio.Event()
        self._replicas.append(one)
        self._group.create_task(self._live(one, startup_s, up))
        return up

    async def _live(self, one: _Replica, startup_s: float, up: asyncio.Event) -> None:
        if not await _set_within(one.stop, startup_s):
            async with self._serve() as url:
                one.url = url
                one.life = replace(one.life, ready_s=self._now())
                self._report()
                up.set()
                await one.stop.wait()
                one.url = None
                self._report()
                await asyncio.sleep(self._linger_s)
        one.life = replace(one.life, ended_s=self._now())

    def _report(self) -> None:
        self._publish([one.url for one in self._replicas if one.url is not None])


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
