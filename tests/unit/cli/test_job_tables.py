"""The report of costs, moments in the past, and ids in a narrow list."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from ssr.cli.job_tables import Cost, cost_table, costs, job_list
from ssr.cli.since import moment
from ssr.core.errors import InvalidRequest
from ssr.core.job import Job, JobStatus
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.types import Mode, Options

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
USAGE = Usage(
    (ModelUsage("d", 10, 2, 100, 60, 40), ModelUsage("t", 20, 1, 50, 0, 5)),
    total_flops=3e9,
    draft_engine_s=1.0,
    target_engine_s=20.0,
    selection_engine_s=0.5,
)
#: Of a service that does not measure the draft engines' time.
UNTIMED = replace(USAGE, draft_engine_s=None)


def job(tenant: str, mode: Mode = Mode.SSR, status: JobStatus = JobStatus.ANSWERED, usage: Usage = USAGE) -> Job:
    return Job(
        "job-0123456789abcdef0123456789abcdef",
        status,
        "a long problem " * 9,
        Options(mode=mode),
        tenant=tenant,
        usage=usage,
        started=NOW,
        finished=NOW + timedelta(seconds=1.5),
    )


def shown(renderable: object, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return file.getvalue()


def test_costs_are_summed_by_tenant_and_mode() -> None:
    jobs = [job("b"), job("a", Mode.BASELINE), job("b", status=JobStatus.FAILED), job("b", status=JobStatus.RUNNING)]
    assert costs(jobs) == [
        Cost("a", "baseline", 1, 150, 60, 45, 3e9, 1.5, 1.0, 20.0, 0.5),
        Cost("b", "ssr", 2, 300, 120, 90, 6e9, 3.0, 2.0, 40.0, 1.0),
    ]
    assert costs([]) == []
    assert "6e+09" in shown(cost_table(costs(jobs)), 100)


def test_seconds_on_engines_say_whether_all_jobs_were_measured() -> None:
    some, none = costs([job("a"), job("a", usage=UNTIMED), job("b", usage=UNTIMED)])
    assert (some.draft_engine_s, some.target_engine_s, some.untimed_jobs) == (1.0, 40.0, 1)
    assert none.untimed_jobs == 1
    of_some, of_none = shown(cost_table([some, none]), 120).splitlines()[1:]
    assert of_some.split()[-2:] == ["1+", "41+"]
    assert of_none.split()[-2:] == ["-", "-"]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
    ],
)
def test_moments_in_the_past(since: str, expected: datetime) -> None:
    assert moment(since, NOW) == expected


@pytest.mark.parametrize("since", ["yesterday", "24", "h", "-1h", "999999d"])
def test_what_is_no_moment_is_refused(since: str) -> None:
    with pytest.raises(InvalidRequest, match="^since: "):
        moment(since, NOW)


@pytest.mark.parametrize("width", [36, 60, 200])
def test_ids_are_whole_at_any_width(width: int) -> None:
    assert job("a").job_id in shown(job_list([job("a")]), width)
