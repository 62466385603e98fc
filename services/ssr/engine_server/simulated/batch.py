"""The continuous batch: so many requests are decoded together, the others wait for a place."""

from __future__ import annotations

import asyncio


class SimulatedBatch:
    """`size` places, first come first served."""

    def __init__(self, size: int) -> None:
        self._places = asyncio.Semaphore(size)
        self._queued = 0
        self._running = 0

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return self._queued

    @property
    def running(self) -> int:
        """Requests that have one."""
        return self._running

    async def __aenter__(self) -> None:
        """Wait for a place, held while the block runs."""
        self._queued += 1
        try:
            await self._places.acquire()
        finally:
            self._queued -= 1
        self._running += 1

    async def __aexit__(self, *exc: object) -> None:
        self._running -= 1
        self._places.release()
