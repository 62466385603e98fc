"""How many replicas the load of a moment needs: from the script and the work of a job, not from any policy. Pure.

Work is counted in slot-seconds: one slot of an engine busy for one second. A pool that is offered so many of them a
second needs as many slots, over the part of the slots that is to be in use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.engines.load import Pool
from ssr_bench.autoscale.day import ArrivalKind, DayOfLoad
from ssr_bench.autoscale.load import SentJob
from ssr_bench.statistics import share

#: A sum of floats that is over a whole number by so little means that number.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Need:
    """`work`: slot-seconds of a job of each kind, by pool."""

    day: DayOfLoad
    limits: Mapping[Pool, ScalingLimits]
    work: Mapping[Pool, Mapping[ArrivalKind, float]]

    def replicas(self, pool: Pool, at_s: float) -> int:
        """Those needed at a time, at least the pool's minimum."""
        limits = self.limits[pool]
        busy = self.day.jobs_per_s(at_s) * self.work[pool].get(self.day.phase_at(at_s).kind, 0.0)
        return max(math.ceil(busy / (limits.slots * limits.utilisation) - _ROUNDING), limits.min_replicas)

    def peak(self, pool: Pool) -> int:
        """The most that the day needs. A phase's load is highest at its end or, where it falls, at its beginning."""
        moments = [at for start, phase in self.day.starts() for at in (start, start + phase.seconds - 1e-6)]
        return max(self.replicas(pool, at_s) for at_s in moments)


def measured_need(day: DayOfLoad, limits: Mapping[Pool, ScalingLimits], jobs: Iterable[SentJob]) -> Need:
    """With the mean work of the jobs that were answered."""
    answered = [job for job in jobs if job.took_s is not None]
    work: dict[Pool, dict[ArrivalKind, float]] = {pool: {} for pool in Pool}
    for kind in {job.kind for job in answered}:
        own = [job for job in answered if job.kind is kind]
        work[Pool.DRAFT][kind] = share(sum(job.draft_slot_s for job in own), len(own))
        work[Pool.TARGET][kind] = share(sum(job.target_slot_s for job in own), len(own))
    return Need(day, limits, work)
