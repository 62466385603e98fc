"""What a policy's day comes to. Pure: every figure is computed from the recorded run and the need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssr.engines.load import Pool
from ssr_bench.autoscale.flaps import flaps
from ssr_bench.autoscale.life import asked, ready, value_at, within
from ssr_bench.autoscale.load import ANSWERED, SentJob
from ssr_bench.autoscale.need import Need, measured_need
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport, DayRun
from ssr_bench.statistics import percentile

#: What the whole day is called beside its phases.
WHOLE_DAY = "day"
#: Between two looks at the need, in seconds of the day.
_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One pool's day.

    `paid_replica_s`: from the asking for each replica to its end. `needed_replica_s`: of a fleet that always had just
    what was needed. `missing_replica_s` were needed and did not serve. `flaps`: when; see `flaps.flaps`.
    """

    paid_replica_s: float
    needed_replica_s: float
    missing_replica_s: float
    most_asked: int
    changes: int
    flaps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """The jobs that came in a phase, and its CPU: mean and highest share of all cores, ours and everybody's.

    `p50_s` and `p95_s`: from when a job was due to its answer at the caller; None without answered jobs.
    """

    jobs: int
    p50_s: float | None
    p95_s: float | None
    cpu: float
    cpu_most: float
    machine_cpu: float


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One policy. `lost` counts the jobs that did not end with an answer, by status."""

    policy: Policy
    phases: Mapping[str, PhaseFigures]
    pools: Mapping[Pool, PoolFigures]
    lost: Mapping[str, int]

    @property
    def lost_jobs(self) -> int:
        return sum(self.lost.values())

    @property
    def flaps(self) -> int:
        return sum(len(pool.flaps) for pool in self.pools.values())

    @property
    def paid_replica_s(self) -> float:
        return sum(pool.paid_replica_s for pool in self.pools.values())


def need_of(report: AutoscaleReport) -> Need:
    """From the jobs of all policies: they are the same, and so is the need."""
    return measured_need(report.plan.day, report.plan.limits, [job for run in report.runs for job in run.jobs])


def figures_of(report: AutoscaleReport) -> Sequence[RunFigures]:
    """A policy each, in the order of the runs."""
    need = need_of(report)
    return [_figures(run, need) for run in report.runs]


def _figures(run: DayRun, need: Need) -> RunFigures:
    names = [phase.name for phase in need.day.phases]
    phases = {name: _phase(run, need, name, [job for job in run.jobs if job.phase == name]) for name in names}
    phases[WHOLE_DAY] = _phase(run, need, None, run.jobs)
    lost = Counter(job.status for job in run.jobs if job.status != ANSWERED)
    return RunFigures(run.policy, phases, {pool: _pool(run, need, pool) for pool in Pool}, lost)


def _pool(run: DayRun, need: Need, pool: Pool) -> PoolFigures:
    lives, seconds = run.lives[pool], need.day.seconds
    asked_for = within(asked(lives), seconds)
    serving = ready(lives)
    missing = needed = 0.0
    for look in range(int(seconds / _LOOK_S)):
        wanted = need.replicas(pool, look * _LOOK_S)
        needed += wanted * _LOOK_S
        missing += max(wanted - value_at(serving, look * _LOOK_S), 0) * _LOOK_S
    return PoolFigures(
        paid_replica_s=sum(life.paid_s(seconds) for life in lives),
        needed_replica_s=needed,
        missing_replica_s=missing,
        most_asked=max(change.value for change in asked_for),
        changes=len(asked_for) - 1,
        flaps=tuple(flaps(asked_for, need.limits[pool].down_window_s, lambda at_s: need.replicas(pool, at_s))),
    )


def _phase(run: DayRun, need: Need, name: str | None, jobs: Sequence[SentJob]) -> PhaseFigures:
    took = sorted(job.took_s for job in jobs if job.took_s is not None)
    cpu = [
        one
        for one in run.cpu
        if 0 <= one.at_s < need.day.seconds and (name is None or need.day.phase_at(one.at_s).name == name)
    ]
    return PhaseFigures(
        jobs=len(jobs),
        p50_s=percentile(took, 50) if took else None,
        p95_s=percentile(took, 95) if took else None,
        cpu=_mean([one.ours for one in cpu]),
        cpu_most=max((one.ours for one in cpu), default=0.0),
        machine_cpu=_mean([one.machine for one in cpu]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
