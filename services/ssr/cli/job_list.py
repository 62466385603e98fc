"""Jobs as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from ssr.cli.wording import one_line
from ssr.core.job import Job


def job_list(jobs: Iterable[Job]) -> Table:
    """A row a job: its id in full, status, start, answer, and the beginning of its problem."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    jobs = list(jobs)
    # Whole at any width: an id is there to be copied.
    table.add_column("job", no_wrap=True, min_width=max([3, *(len(job.job_id) for job in jobs)]))
    table.add_column("status", no_wrap=True)
    table.add_column("created (UTC)", no_wrap=True)
    table.add_column("answer", no_wrap=True, overflow="ellipsis", max_width=20)
    table.add_column("problem", no_wrap=True, overflow="ellipsis", ratio=1)
    for job in jobs:
        created = f"{job.created:%m-%d %H:%M:%S}" if job.created is not None else ""
        table.add_row(job.job_id, job.status, created, Text(one_line(job.answer)), Text(one_line(job.problem)))
    return table
