from __future__ import annotations

import asyncio

import pytest

from ssr.core.job import JobRequest
from ssr.core.types import Options
from ssr.orchestrator.queue.job_store import LATE, Claim
from ssr.orchestrator.run.job_deadline import JobDeadline


def claim(end_wanted: str = "") -> Claim:
    return Claim("job-1", 1, JobRequest("1 + 1", Options()), "t", end_wanted=end_wanted)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_job_ends_at_its_own_deadline() -> None:
    deadline = JobDeadline(claim(), 20_000, 20_000)
    with pytest.raises(TimeoutError):
        async with deadline:
            await for_ever()
    assert deadline.reason == "the deadline of 20000 s has passed"


@pytest.mark.parametrize("deadline_s", [None, 5.0])
async def test_it_ends_when_its_callers_have_no_time_left(deadline_s: float | None) -> None:
    deadline = JobDeadline(claim(), deadline_s, 0)
    with pytest.raises(TimeoutError):
        async with deadline:
            deadline.pass_now(f"{LATE}they are late")
            await for_ever()
    assert deadline.reason == "they are late"


async def test_a_claim_may_come_too_late() -> None:
    for deadline in (JobDeadline(claim(f"{LATE}they are late"), None, 0), JobDeadline(claim(), None, 0)):
        deadline.pass_now(f"{LATE}they are late")
        with pytest.raises(TimeoutError):
            async with deadline:
                await for_ever()
        assert deadline.reason == "they are late"


async def test_what_is_late_behind_the_end_changes_nothing() -> None:
    """A job that ends in the moment in which its callers' time does."""
    ended = JobDeadline(claim(), None, 0)
    async with ended:
        pass
    ended.pass_now(f"{LATE}they are late")
    passed = JobDeadline(claim(), 1.0, 1.0)
    with pytest.raises(TimeoutError):
        async with passed:
            await for_ever()
    passed.pass_now(f"{LATE}they are late")
    assert (ended.reason, passed.reason) == ("", "the deadline of 1 s has passed")
