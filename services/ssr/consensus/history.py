"""What a tenant's finished problems leave behind: weak evidence for the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import count

from ssr.consensus.memory import SuffixMemory
from ssr.consensus.settings import ConsensusSettings


class History:
    """Of one tenant. Finished texts wait here, and are entered bit by bit so that no call pays for a whole group."""

    def __init__(self, settings: ConsensusSettings) -> None:
        self.memory = SuffixMemory(settings.orders, settings.history_tokens, settings.pool)
        self._most_waiting = settings.history_tokens
        self._waiting: deque[list[int]] = deque()
        self._waiting_tokens = 0
        self._numbers = count()
        self._entered = 0  #: tokens of the first waiting text

    @property
    def tokens(self) -> int:
        """Remembered or waiting to be."""
        return self.memory.tokens + self._waiting_tokens

    def take(self, texts: Iterable[list[int]]) -> None:
        """Keep `texts`; the oldest go when too much waits."""
        for text in texts:
            self._waiting.append(text)
            self._waiting_tokens += len(text)
        while self._waiting_tokens > self._most_waiting:
            self._leave()

    def enter(self, tokens: int) -> None:
        """Enter up to `tokens` of what waits."""
        while tokens > 0 and self._waiting:
            text = self._waiting[0]
            if not self._entered:
                self._owner = next(self._numbers)
            part = text[self._entered : self._entered + tokens]
            self.memory.append(self._owner, part)
            self._entered += len(part)
            tokens -= len(part)
            if self._entered >= len(text):
                self._leave()

    def _leave(self) -> None:
        self._waiting_tokens -= len(self._waiting.popleft())
        self._entered = 0
