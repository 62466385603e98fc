"""The demo's problems, and its summary."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ssr.cli.demo import DemoOutcome, comparison, demo_problems, exit_status, summary
from ssr.cli.exit_status import ExitStatus
from ssr.core.job import Job, JobStatus
from ssr.core.limits import check_problem
from ssr.core.types import Options


def outcome(status: JobStatus, answer: str, right: bool) -> DemoOutcome:
    asked = demo_problems()[0]
    return DemoOutcome(asked, Job("job-a", status, asked.problem, Options(), answer), right, 1.5)


def test_three_problems_with_answers() -> None:
    problems = demo_problems()
    assert len(problems) == 3
    assert [problem.answer for problem in problems] == [
        str(36 - 12 + 9),
        str((180 - 60) // 12),
        str(80 * 3 + 60 * 2),
    ]
    for problem in problems:
        check_problem(problem.problem)


def test_summary_is_honest() -> None:
    console = Console(file=io.StringIO(), width=80)
    answered, wrong = outcome(JobStatus.ANSWERED, "60", True), outcome(JobStatus.ANSWERED, "59", False)
    console.print(summary([answered, wrong, outcome(JobStatus.NO_ANSWER, "", False)]))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "1 of 3 answers are right" in text
    assert "no answer" in text
    assert text.count("yes") == 1


def test_the_comparison_tells_what_each_way_took() -> None:
    console = Console(file=io.StringIO(), width=100)
    right, wrong = outcome(JobStatus.ANSWERED, "60", True), outcome(JobStatus.ANSWERED, "59", False)
    console.print(comparison({"cascade": [right, right], "one path of the large model": [right, wrong]}))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[1].split()[:4] == ["cascade", "2", "of", "2"]
    assert "1 of 2" in lines[2]
    assert "3.0" in lines[2]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((JobStatus.ANSWERED, JobStatus.ANSWERED), ExitStatus.DONE),
        ((JobStatus.ANSWERED, JobStatus.NO_ANSWER), ExitStatus.NO_ANSWER),
        ((JobStatus.FAILED, JobStatus.NO_ANSWER), ExitStatus.FAILURE),
    ],
)
def test_the_worst_outcome_counts(statuses: tuple[JobStatus, ...], expected: ExitStatus) -> None:
    assert exit_status([outcome(status, "1", False) for status in statuses]) is expected
