"""The journal of a run, and one in memory: for running the algorithm on its own, as a measurement does."""

from __future__ import annotations

from typing import Protocol

from ssr.core.run import Decision, Run


class Journal(Protocol):
    """What the run has decided. A decision is durable once `append` returns.

    `append` raises StaleOwner when another owner has taken the job: then this run must end without a trace. It raises
    LostGround when the journal has lost an earlier decision: then this run must end too, and `solve` be called again.
    """

    async def load(self) -> Run: ...

    async def append(self, decision: Decision) -> None: ...


class MemoryJournal:
    """Implements `Journal` in memory; `run` is what is decided so far."""

    def __init__(self) -> None:
        self.run = Run()

    async def load(self) -> Run:
        return self.run

    async def append(self, decision: Decision) -> None:
        self.run = self.run.apply(decision)
