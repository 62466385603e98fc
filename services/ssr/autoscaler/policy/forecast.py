"""What the jobs that still wait, and those that keep coming, will ask of the engines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace

from ssr.autoscaler.policy.average import RunningAverage
from ssr.core.ledger import Usage
from ssr.engines.load import Pool


@dataclass(frozen=True, slots=True)
class PathWork:
    """What one path is expected to need, all modes together.

    `drafted_steps` and `drafted_tokens` of the draft model, `rewrite_tokens` a rewrite, `rewrite_rate` (0..1) the part
    of the drafted steps that is rewritten where no verifier reports it, `written_tokens` of the target without a draft,
    `selection_tokens` of a path's part in the selection of the strategies.
    """

    drafted_steps: float = 10.0
    drafted_tokens: float = 600.0
    rewrite_tokens: float = 60.0
    rewrite_rate: float = 0.3
    written_tokens: float = 0.0
    selection_tokens: float = 1.0

    def tokens(self, pool: Pool, rewrite_rate: float | None) -> float:
        """Tokens that `pool` generates for one path; a step's score is one of them."""
        if pool is Pool.DRAFT:
            return self.drafted_tokens
        rate = self.rewrite_rate if rewrite_rate is None else rewrite_rate
        return self.drafted_steps * (1.0 + rate * self.rewrite_tokens) + self.written_tokens + self.selection_tokens


def _prior(value: float) -> RunningAverage:
    return RunningAverage(value)


@dataclass(frozen=True, slots=True)
class PathAverages:
    """Running averages of what finished jobs needed for a path."""

    drafted_steps: RunningAverage = field(default_factory=lambda: _prior(PathWork().drafted_steps))
    drafted_tokens: RunningAverage = field(default_factory=lambda: _prior(PathWork().drafted_tokens))
    rewrite_tokens: RunningAverage = field(default_factory=lambda: _prior(PathWork().rewrite_tokens))
    rewrite_rate: RunningAverage = field(default_factory=lambda: _prior(PathWork().rewrite_rate))
    written_tokens: RunningAverage = field(default_factory=lambda: _prior(PathWork().written_tokens))
    selection_tokens: RunningAverage = field(default_factory=lambda: _prior(PathWork().selection_tokens))

    def add(self, usage: Usage, paths: int) -> PathAverages:
        """Account for a job that ended. One that cost nothing (cancelled while it waited) shows nothing."""
        if not paths or not any(model.generated_tokens for model in usage.models):
            return self
        steps = usage.accepted_steps + usage.rewritten_steps
        grown = replace(
            self,
            drafted_steps=self.drafted_steps.add(steps / paths),
            drafted_tokens=self.drafted_tokens.add(usage.drafted_tokens / paths),
            written_tokens=self.written_tokens.add(usage.written_tokens / paths),
            selection_tokens=self.selection_tokens.add(usage.selection_tokens / paths),
        )
        if steps:
            grown = replace(grown, rewrite_rate=self.rewrite_rate.add(usage.rewritten_steps / steps))
        if usage.rewritten_steps:
            tokens = usage.rewritten_tokens / usage.rewritten_steps
            grown = replace(grown, rewrite_tokens=self.rewrite_tokens.add(tokens))
        return grown

    @property
    def evidence(self) -> float:
        """How many jobs the averages rest on, older ones counting less."""
        return self.drafted_steps.weight

    def work(self) -> PathWork:
        return PathWork(**{item.name: getattr(self, item.name).value for item in fields(self)})


@dataclass(frozen=True, slots=True)
class Workload:
    """What one orchestrator knows of the work to come.

    `queued_jobs` and `queued_paths` are of the whole queue; `paths_per_s` were submitted to this replica; `work` is
    what it saw a path need, from about `evidence` jobs.
    """

    queued_jobs: int = 0
    queued_paths: int = 0
    paths_per_s: float = 0.0
    work: PathWork = PathWork()
    evidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """The queue as the orchestrator sees it at `at`.

    `queued_jobs` nobody works on yet, with `queued_paths` together; `paths_per_s` is how many paths were submitted per
    second lately (some 15 s); `work` is what a path of theirs is expected to need.
    """

    at: float
    queued_jobs: int = 0
    queued_paths: int = 0
    paths_per_s: float = 0.0
    work: PathWork = PathWork()

    def fresh(self, now: float, ttl_s: float) -> bool:
        """Whether it still shows how things are."""
        return now - self.at <= ttl_s


def forecast_of(workloads: Collection[tuple[float, Workload]]) -> Forecast | None:
    """What all orchestrators know together, from (time, workload) of each; None where none of them reports."""
    if not workloads:
        return None
    at, newest = max(workloads, key=lambda reported: reported[0])
    evidence = sum(workload.evidence for _, workload in workloads)

    def mean(name: str) -> float:
        parts = [(float(getattr(workload.work, name)), workload.evidence) for _, workload in workloads]
        return sum(value * weight for value, weight in parts) / evidence

    work = PathWork(**{item.name: mean(item.name) for item in fields(PathWork)}) if evidence else newest.work
    return Forecast(
        at, newest.queued_jobs, newest.queued_paths, sum(workload.paths_per_s for _, workload in workloads), work
    )
