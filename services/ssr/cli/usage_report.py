"""What jobs cost, by tenant and mode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from ssr.core.job import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of some finished jobs of one tenant and mode.

    Tokens are summed over all models; cached ones are part of the prompts'. `flops` counts all tokens that a model had
    to process, and is too small where a model's size is unknown. `job_s` are seconds from the start of the jobs to
    their ends, waiting for engines included: not engine time.
    """

    tenant: str
    mode: str
    jobs: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    flops: float = 0.0
    job_s: float = 0.0

    def add(self, job: Job) -> Cost:
        models = job.usage.models
        ran = job.started is not None and job.finished is not None
        return replace(
            self,
            jobs=self.jobs + 1,
            prompt_tokens=self.prompt_tokens + sum(model.prompt_tokens for model in models),
            cached_tokens=self.cached_tokens + sum(model.cached_tokens for model in models),
            generated_tokens=self.generated_tokens + sum(model.generated_tokens for model in models),
            flops=self.flops + job.usage.total_flops,
            job_s=self.job_s + ((job.finished - job.started).total_seconds() if ran else 0.0),  # type: ignore[operator]
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
    for heading in ("jobs", "prompt tokens", "cached", "generated", "FLOPs", "job seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        tokens = (row.prompt_tokens, row.cached_tokens, row.generated_tokens)
        figures = (row.jobs, *tokens)
        table.add_row(row.tenant, row.mode, *(f"{one:,}" for one in figures), f"{row.flops:.3g}", f"{row.job_s:,.0f}")
    return table
