"""The same day with other seeds: what a policy comes to, and how sure that is. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from ssr_bench.autoscale.figures import WHOLE_DAY, RunFigures, figures_of
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport

#: Student's t for 95 % of both sides, by degrees of freedom from 1 on; beyond them the normal distribution's.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
_NORMAL = 1.96


@dataclass(frozen=True, slots=True)
class SeedMean:
    """A mean over the seeds, and half the width of its 95 % interval (Student's t); None of one seed alone."""

    mean: float
    half: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> SeedMean:
        """Raises: StatisticsError without values."""
        if len(values) < 2:
            return cls(fmean(values), None)
        freedom = len(values) - 1
        t = _T[freedom - 1] if freedom <= len(_T) else _NORMAL
        return cls(fmean(values), t * stdev(values) / math.sqrt(len(values)))


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """One policy over all seeds. Times in seconds of the day, of all its jobs or of those that came in a phase.

    `of_peak`: replica-seconds over those of the fleet that is always at peak, `p95_of_peak` the same of the p95; None
    where that fleet was not measured. `lost` and `flaps` are sums.
    """

    policy: Policy
    p50_s: SeedMean
    p95_s: SeedMean
    burst_p95_s: SeedMean
    replica_s: SeedMean
    p95_of_peak: SeedMean | None
    of_peak: SeedMean | None
    flaps: int
    lost: int


def over_seeds(reports: Sequence[AutoscaleReport], burst: str) -> Sequence[PolicyFigures]:
    """A policy each, in the order of the runs; all reports are of the same policies. `burst` names its phase."""
    runs = [figures_of(report) for report in reports]
    peaks = [next((one for one in each if one.policy is Policy.FIXED_PEAK), None) for each in runs]
    return [_over(list(each), peaks, burst) for each in zip(*runs, strict=True)]


def _over(each: Sequence[RunFigures], peaks: Sequence[RunFigures | None], burst: str) -> PolicyFigures:
    def of_peak(value: Callable[[RunFigures], float]) -> SeedMean | None:
        pairs = [value(one) / value(peak) for one, peak in zip(each, peaks, strict=True) if peak is not None]
        return SeedMean.of(pairs) if pairs else None

    return PolicyFigures(
        each[0].policy,
        p50_s=SeedMean.of([one.phases[WHOLE_DAY].p50_s or math.inf for one in each]),
        p95_s=SeedMean.of([_p95(one) for one in each]),
        burst_p95_s=SeedMean.of([_p95(one, burst) for one in each]),
        replica_s=SeedMean.of([one.paid_replica_s for one in each]),
        p95_of_peak=of_peak(_p95),
        of_peak=of_peak(lambda one: one.paid_replica_s),
        flaps=sum(one.flaps for one in each),
        lost=sum(one.lost_jobs for one in each),
    )


def _p95(one: RunFigures, phase: str = WHOLE_DAY) -> float:
    """Infinite where no job was answered."""
    p95_s = one.phases[phase].p95_s
    return math.inf if p95_s is None else p95_s
