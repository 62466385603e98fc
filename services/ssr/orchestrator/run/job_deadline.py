"""When a job has to end with what it has: by its own deadline, or because its callers' have passed."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ssr.core.errors import plain
from ssr.orchestrator.queue.job_store import LATE, Claim


class JobDeadline:
    """A time limit, to be entered once: `deadline_s` seconds from the submission (None: never), or when made to pass.

    As `asyncio.timeout`, it raises TimeoutError at the end of the block; `reason` says why.
    """

    def __init__(self, claim: Claim, deadline_s: float | None, age_s: float) -> None:
        self.reason = "" if deadline_s is None else f"the deadline of {plain(deadline_s)} s has passed"
        left_s = None if deadline_s is None else max(0.0, deadline_s - age_s)
        self._limit, self._entered = asyncio.timeout(left_s), False
        if claim.end_wanted.startswith(LATE):
            self.pass_now(claim.end_wanted)

    def pass_now(self, end_wanted: str) -> None:
        """The job's end was asked for: LATE and a reason. Nothing happens behind the block, where the job has ended."""
        reason = end_wanted.removeprefix(LATE)
        if not self._entered:
            self.reason, self._limit = reason, asyncio.timeout(0)
            return
        try:
            self._limit.reschedule(asyncio.get_running_loop().time())
        except RuntimeError:  # it has passed, or the block has ended
            return
        self.reason = reason

    async def __aenter__(self) -> None:
        self._entered = True
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._limit.__aexit__(kind, error, at)
