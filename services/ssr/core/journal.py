"""A journal that keeps nothing safe: for running the algorithm on its own, to measure it or to compare with it."""

from __future__ import annotations

from ssr.core.run import Decision, Run


class MemoryJournal:
    """Implements `core.solve.Journal` in memory; `run` is what is decided so far."""

    def __init__(self) -> None:
        self.run = Run()

    async def load(self) -> Run:
        return self.run

    async def append(self, decision: Decision) -> None:
        self.run = self.run.apply(decision)
