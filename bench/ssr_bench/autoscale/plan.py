"""What is measured, and the settings that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings, ScheduledLoad
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr.engines.load import Pool
from ssr_bench.autoscale.day import BURST, FULL_DAY, DayOfLoad
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.hpa import HpaSettings
from ssr_bench.autoscale.pace import Pace
from ssr_bench.autoscale.policy import Policy

#: For how long after the burst the schedule holds the replicas, in seconds of the day: the load itself holds them then.
_BURST_S = 330.0
#: What services and the autoscaler do every 5 s on a cluster.
REPORT_S = 5.0


@dataclass(frozen=True, slots=True)
class AutoscalePlan:
    """The policies to measure, each with a day of its own. Times are in seconds of the day.

    `queue_target`: waiting calls for which the HPA gives a replica. `settle_s`: how long jobs may take that have not
    ended with the day. `warm_up_jobs` come before the day: in operation the orchestrator knows what its jobs need.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    day: DayOfLoad = FULL_DAY
    pace: Pace = field(default_factory=Pace)
    policies: tuple[Policy, ...] = tuple(Policy)
    seed: int = 1
    startup_s: float = 60.0
    max_replicas: int = 24
    queue_target: float = 4.0
    settle_s: float = 900.0
    warm_up_jobs: int = 100

    def __post_init__(self) -> None:
        if Policy.OURS not in self.policies or len(set(self.policies)) < len(self.policies):
            raise InvalidRequest("policies", f"must name {Policy.OURS}, whose need sizes the others, and each once")
        check_within("seed", self.seed, 0, 2**32)
        check_within("startup_s", self.startup_s, 1, 3600)
        check_within("max_replicas", self.max_replicas, 1, 100)
        check_within("queue_target", self.queue_target, 0.1, 1000)
        check_within("warm_up_jobs", self.warm_up_jobs, 0, 10_000)
        check_within("settle_s", self.settle_s, 1, 86_400)

    @property
    def limits(self) -> Mapping[Pool, ScalingLimits]:
        """Ours: the defaults, but for what is known of these engines."""
        return {
            pool: ScalingLimits(
                max_replicas=self.max_replicas,
                slots=engine.slots,
                slot_tokens_per_s=engine.slot_tokens_per_s,
                startup_s=self.startup_s,
            )
            for pool, engine in ENGINES.items()
        }

    def scaling(self, scheduled: tuple[ScheduledLoad, ...] = ()) -> ScalingSettings:
        """For our autoscaler, in real time."""
        limits = self.limits
        return self.pace.settings(
            ScalingSettings(draft=limits[Pool.DRAFT], target=limits[Pool.TARGET], schedule=scheduled)
        )

    def hpa(self) -> HpaSettings:
        """For the HPA, in real time."""
        real_s, known = self.pace.real_s, HpaSettings(self.queue_target, max_replicas=self.max_replicas)
        return HpaSettings(
            self.queue_target,
            max_replicas=self.max_replicas,
            sync_s=real_s(known.sync_s),
            period_s=real_s(known.period_s),
            down_window_s=real_s(known.down_window_s),
        )

    def llm_d(self) -> HpaSettings:
        """For llm-d's rule, in real time: every window 300 s, at most twice as many in 15 s."""
        real_s, hpa = self.pace.real_s, self.hpa()
        return replace(hpa, target=1.0, up_step=0, up_window_s=real_s(300.0), down_window_s=real_s(300.0))

    def llm_d_guard(self) -> HpaSettings:
        """For llm-d's guarded rule, in real time: as its other one, and growth at once."""
        return replace(self.llm_d(), up_window_s=0.0)

    def day_begins(self, now: float) -> float:
        """A moment from `now` (seconds since 1970) at which the day can begin so that its burst is at a full minute."""
        before_s = self.pace.real_s(self.day.start_of(BURST))
        return math.ceil((now + before_s) / 60) * 60 - before_s

    def scheduled_burst(self, begins: float, replicas: Mapping[Pool, int]) -> ScheduledLoad:
        """The burst of a day that began at such a moment."""
        at = datetime.fromtimestamp(begins + self.pace.real_s(self.day.start_of(BURST)) + 0.5, UTC)
        return ScheduledLoad(
            name="lesson",
            cron=f"{at.minute} {at.hour} {at.day} {at.month} *",
            duration_s=_BURST_S,
            replicas=dict(replicas),
        )
