"""Jobs as tables: one by one, and what they cost by tenant and mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table
from rich.text import Text

from ssr.cli.wording import one_line
from ssr.core.job import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of some finished jobs of one tenant and mode.

    Tokens are summed over all models; cached ones are part of the prompts'. `flops` counts all tokens that a model had
    to process, and is too small where a model's size is unknown. `job_s` are seconds from the start of the jobs to
    their ends, waiting for engines included.

    `draft_engine_s`, `target_engine_s` and `selection_engine_s` are seconds for which their calls held places on
    engines, as the services saw them: one place of a replica that serves 64 calls at a time is a 64th of it. They are
    those of the jobs that were measured; `untimed_jobs` were not, or not wholly (services of 0.1).
    """

    tenant: str
    mode: str
    jobs: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    flops: float = 0.0
    job_s: float = 0.0
    draft_engine_s: float = 0.0
    target_engine_s: float = 0.0
    selection_engine_s: float = 0.0
    untimed_jobs: int = 0

    def add(self, job: Job) -> Cost:
        usage, models = job.usage, job.usage.models
        ran = job.started is not None and job.finished is not None
        return replace(
            self,
            jobs=self.jobs + 1,
            prompt_tokens=self.prompt_tokens + sum(model.prompt_tokens for model in models),
            cached_tokens=self.cached_tokens + sum(model.cached_tokens for model in models),
            generated_tokens=self.generated_tokens + sum(model.generated_tokens for model in models),
            flops=self.flops + usage.total_flops,
            job_s=self.job_s + ((job.finished - job.started).total_seconds() if ran else 0.0),  # type: ignore[operator]
            draft_engine_s=self.draft_engine_s + (usage.draft_engine_s or 0.0),
            target_engine_s=self.target_engine_s + (usage.target_engine_s or 0.0),
            selection_engine_s=self.selection_engine_s + (usage.selection_engine_s or 0.0),
            untimed_jobs=self.untimed_jobs + (not usage.timed),
        )

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def costs(jobs: Iterable[Job]) -> list[Cost]:
    """Of the finished ones, by tenant and mode in the order of their names."""
    found: dict[tuple[str, str], Cost] = {}
    for job in jobs:
        if job.status.final:
            key = (job.tenant, str(job.options.mode))
            found[key] = found.get(key, Cost(*key)).add(job)
    return [found[key] for key in sorted(found)]


def cost_table(rows: Iterable[Cost]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("tenant", "mode"):
        table.add_column(heading, no_wrap=True)
    for heading in ("jobs", "prompt tokens", "cached", "generated", "FLOPs", "job s", "draft s", "target s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        tokens = (row.prompt_tokens, row.cached_tokens, row.generated_tokens)
        figures = (row.jobs, *tokens)
        more = "+" if row.untimed_jobs else ""  # what was measured is a part of it
        engine_s = (row.draft_engine_s, row.target_engine_s + row.selection_engine_s)
        table.add_row(
            *(row.tenant, row.mode),
            *(f"{one:,}" for one in figures),
            *(f"{row.flops:.3g}", f"{row.job_s:,.0f}"),
            *("-" if row.untimed_jobs == row.jobs else f"{one:,.0f}{more}" for one in engine_s),
        )
    return table


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
