"""Who may be in the batch: a bounded number of requests whose tokens fit the key-value cache together.

llama.cpp admits by slots alone, and fails a request in mid-generation when the cache it shares with the others is
full. So each request takes its whole need (prompt plus `max_new_tokens`) before it starts, as TGI's queue does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class EmbeddedBatch:
    """`slots` requests and `tokens` tokens; first come, first served, so that long requests are not starved."""

    def __init__(self, slots: int, tokens: int) -> None:
        self._slots = slots
        self._tokens = tokens
        self._running = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def running(self) -> int:
        return self._running

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, tokens: int) -> AsyncGenerator[None, None]:
        """Hold a place for a request of `tokens` tokens; waits for it. `tokens` must be within the batch's own."""
        await self._enter(tokens)
        try:
            yield
        finally:
            self._leave(tokens)

    async def _enter(self, tokens: int) -> None:
        if not self._waiting and self._fits(tokens):
            self._take(tokens)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tokens))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(tokens)  # the place came together with the cancellation
            else:
                self._waiting.remove((turn, tokens))
                self._admit()
            raise

    def _leave(self, tokens: int) -> None:
        self._slots += 1
        self._tokens += tokens
        self._running -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][1]):
            turn, tokens = self._waiting.popleft()
            self._take(tokens)
            turn.set_result(None)

    def _fits(self, tokens: int) -> bool:
        return self._slots > 0 and self._tokens >= tokens

    def _take(self, tokens: int) -> None:
        self._slots -= 1
        self._tokens -= tokens
        self._running += 1
