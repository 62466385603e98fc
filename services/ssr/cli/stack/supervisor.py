"""One part of the stack, kept running."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ssr.cli.stack.child import Child
from ssr.cli.stack.parts import DRAIN_S, Part
from ssr.cli.stack.probes import serves
from ssr.cli.stack.restarts import RestartLimits, Restarts
from ssr.core.errors import Unavailable

#: Between two questions whether a part serves, in seconds.
_PROBE_PAUSE_S = 0.1
#: A part that was asked to end drains first; so long after that it is killed, in seconds.
_KILL_AFTER_S = 4.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all parts share: `lifeline` is the standard input that ends with this process, `notify` takes the news."""

    environment: Mapping[str, str]
    lifeline: int
    log_dir: Path
    notify: Callable[[str], None]
    start_limit_s: float
    restart_limits: RestartLimits


class Supervisor:
    """Starts a part, starts it again when it dies, and ends it. `up` is set once it has served."""

    def __init__(self, part: Part, surroundings: Surroundings) -> None:
        self.part = part
        self.up = asyncio.Event()
        self._surroundings = surroundings
        self._restarts = Restarts(surroundings.restart_limits)
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """None before the first start."""
        return self._child.pid if self._child else None

    async def run(self) -> NoReturn:
        """Keep the part running until cancelled, which leaves it as it is: see `stop`.

        Raises: Unavailable, with the end of the part's log, when it does not start, or dies too often.
        """
        child = await self._start()
        if (failure := await self._until_serving(child)) is not None:
            raise Unavailable(f"{self.part.name} did not start: {failure}; its log ends with\n{child.log_tail()}")
        self.up.set()
        while True:
            await child.wait()
            child.kill()  # what it leaves of its group
            await self._pause(child)
            child = await self._start()
            if await self._until_serving(child) is None:
                self._surroundings.notify(f"{self.part.name} is up again")
            elif not child.ended:
                child.kill()

    async def stop(self) -> None:
        """End the part: in order, and by force when that takes too long. Cancel `run` first."""
        if self._child is not None:
            await self._child.stop(DRAIN_S + _KILL_AFTER_S)

    def kill(self) -> None:
        """End the part at once."""
        if self._child is not None:
            self._child.kill()

    async def _start(self) -> Child:
        around = self._surroundings
        self._child = await Child.start(
            self.part.command,
            {**around.environment, **self.part.environment},
            stdin=around.lifeline,
            log=around.log_dir / f"{self.part.name}.log",
        )
        return self._child

    async def _until_serving(self, child: Child) -> str | None:
        """Wait until the part serves; what went wrong if it does not."""
        limit_s = self._surroundings.start_limit_s
        try:
            async with asyncio.timeout(limit_s):
                while not await serves(self.part):
                    if child.ended:
                        return f"it {child.ending()}"
                    await asyncio.sleep(_PROBE_PAUSE_S)
        except TimeoutError:
            return f"it does not serve after {limit_s:g} s"
        return None

    async def _pause(self, child: Child) -> None:
        """Between a death and the restart."""
        around, name = self._surroundings, self.part.name
        pause_s = self._restarts.pause_after_death(time.monotonic())
        if pause_s is None:
            limits = around.restart_limits
            raise Unavailable(
                f"{name} died more than {limits.deaths} times within {limits.window_s:g} s, at last it "
                f"{child.ending()}; its log ends with\n{child.log_tail()}"
            )
        around.notify(f"{name} {child.ending()}; starting it again in {pause_s:g} s")
        await asyncio.sleep(pause_s)
