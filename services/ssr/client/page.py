"""One page of a list of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.core.job import Job


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs without their paths, newest first. `next_page_token` is "" on the last page."""

    jobs: tuple[Job, ...]
    next_page_token: str = ""
