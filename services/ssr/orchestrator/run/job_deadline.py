"""When a job has to end with what it has: by its own deadline, or because its callers' have passed."""

from __future__ import annotations

import asyncio

from ssr.orchestrator.queue.job_store import LATE, Claim


class JobDeadline:
    """A time limit (`limit`, to be entered once) that passes after `left_s` seconds (None: never), or when asked to."""

    def __init__(self, claim: Claim, deadline_s: float | None, age_s: float) -> None:
        self.reason = "" if deadline_s is None else f"the deadline of {deadline_s:g} s has passed"
        left_s = None if deadline_s is None else max(0.0, deadline_s - age_s)
        if claim.end_wanted.startswith(LATE):
            self.reason, left_s = claim.end_wanted.removeprefix(LATE), 0.0
        self.limit = asyncio.timeout(left_s)

    def pass_now(self, end_wanted: str) -> None:
        """The job's end was asked for: LATE and a reason."""
        self.reason = end_wanted.removeprefix(LATE)
        self.limit.reschedule(asyncio.get_running_loop().time())
