"""What a command asks to have solved: checked, sent, shown while it is solved, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import typer
from rich.console import Console

from ssr.cli.access import Access
from ssr.cli.destination import Destination, connected
from ssr.cli.exit_status import ExitStatus, print_error
from ssr.core.errors import InvalidRequest, plain
from ssr.core.job import Job, JobStatus, Priority

if TYPE_CHECKING:
    from ssr.client import SolveOptions


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """What to solve, how, and where."""

    problem: str
    options: SolveOptions
    target: Destination
    timeout_s: float
    priority: Priority
    access: Access


def checked_options(given: dict[str, Any], target: Destination) -> SolveOptions:
    """The given options.

    Raises: InvalidRequest naming the option that is unknown or out of its limits.
    """
    from ssr.client.request import resolved
    from ssr.selector.strategy_sets import load_strategy_sets

    options = cast("SolveOptions", given)
    strategy_set = resolved(options).strategy_set
    if target.embedded and strategy_set not in (strategy_sets := load_strategy_sets()):
        raise InvalidRequest(
            "strategy_set", f"there is no strategy set {strategy_set!r}; known are {', '.join(sorted(strategy_sets))}"
        )
    return options


async def solved(question: AskedQuestion, json_output: bool) -> ExitStatus:
    from ssr.cli.job_view import JobView
    from ssr.cli.viewer import show_to_end, viewer_for
    from ssr.client import job_to_json

    console = Console(stderr=json_output)
    view = JobView(question.problem)  # the server fills the options in
    async with connected(question.target, question.access, Console(stderr=True)) as client:
        events = client.stream(
            question.problem, timeout_s=question.timeout_s, priority=question.priority, **question.options
        )
        job = await show_to_end(events, viewer_for(console, lines=not json_output), view)
        if json_output:
            typer.echo(json.dumps(job_to_json(await client.get(job.job_id)), indent=2))
    return concluded(job)


def concluded(job: Job) -> ExitStatus:
    """The exit status of a finished job; says on standard error what else ended it than its paths."""
    if job.status is JobStatus.FAILED:
        print_error(f"job {job.job_id} failed: {job.error}")
    elif job.status is JobStatus.PARKED:
        print_error(f"job {job.job_id} is parked and not tried again: {job.error}")
    elif job.status is JobStatus.CANCELLED:
        print_error(f"job {job.job_id} was cancelled")
    return ExitStatus.of_job(job)


def asked_priority(name: str) -> Priority:
    from ssr.client.request import checked_priority

    return checked_priority(name)


def check_timeout(timeout_s: float) -> None:
    if not 0 < timeout_s < float("inf"):
        raise InvalidRequest("timeout", f"must be a number of seconds over 0; got {plain(timeout_s)}")
