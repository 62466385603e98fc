"""How many engine slots a pool's work occupies, or would if it had them.

While nothing waits, what runs is the steady need. As soon as something waits anywhere, it is not: too little runs where
it waits, too much where a backlog is worked off. Little's law holds then: slots = paths a second x seconds that a path
spends in this pool. What runs beyond that is backlog at work (`draining`).

What has piled up, and will have before new replicas serve (`backlog`), is added as the slots that finish it within a
horizon: a path needs seconds-in-this-pool / horizon of a slot. The horizon is at least the engines' start-up, because
nothing that is asked for now serves sooner, and the time a path takes, because its steps come one by one.

The seconds in a pool follow from that pool's own tokens: drafts in the draft pool; scores, rewrites (rewrite rate x
tokens of a rewrite) and selection in the target pool. More rewrites therefore ask for target slots only.

Paths are drafted first. What waits for drafts is on its way to the target, whose engines are asked for in the same
decision; what waits for the target adds nothing to the draft pool, unless that sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssr.autoscaler.policy.backlog import UPSTREAM, backlog_slots, horizon_s, passed
from ssr.autoscaler.policy.forecast import Forecast, PathWork
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import PoolSignals, Service
from ssr.autoscaler.policy.slots import path_seconds, running_slots
from ssr.engines.load import Pool


@dataclass(frozen=True, slots=True)
class Demand:
    """Slots that a pool needs, and what they are for.

    `steady` is for work as it comes, and goes on; the rest is for what has piled up, and ends: at work (`draining`),
    and what will wait when new replicas serve: for an engine (`waiting`) or, by its share of what waits now, for an
    orchestrator (`queued`). `unknown` names who did not report; the true demand may then be higher, and nothing is to
    be taken away. `coming` are the slots for paths at the rate at which they come (None: nobody knows):
    what is steady beyond that is a backlog's last part, which runs and will not come again.
    """

    steady: float = 0.0
    draining: float = 0.0
    waiting: float = 0.0
    queued: float = 0.0
    unknown: tuple[str, ...] = ()
    coming: float | None = field(default=None, compare=False)

    @property
    def slots(self) -> float:
        return self.steady + self.backlog

    @property
    def backlog(self) -> float:
        """Slots for what has piled up."""
        return self.draining + self.waiting + self.queued

    @property
    def known(self) -> bool:
        return not self.unknown

    def __str__(self) -> str:
        parts = {"steady": self.steady, "draining": self.draining, "waiting": self.waiting, "queued": self.queued}
        reported = ", ".join(f"{name} {value:.1f}" for name, value in parts.items() if value)
        return f"demand {self.slots:.1f} slots" + (f" ({reported})" if reported else "")


def pool_demand(
    pool: Pool, signals: Mapping[Pool, PoolSignals], forecast: Forecast | None, limits: Mapping[Pool, ScalingLimits]
) -> Demand:
    """The demand for engines of `pool`. `signals` and `limits` are of all pools: a path's time is spent in both.

    `forecast` None: no orchestrator reports on the queue.
    """
    seconds = path_seconds(signals, forecast.work if forecast else PathWork(), limits)
    running = running_slots(signals[pool].load, limits[pool])
    steady = running if forecast is None else _steady(running, pool, seconds, signals, forecast, limits)
    backlog = backlog_slots(pool, seconds, signals, forecast, limits)
    backlog += _woken(pool, signals) * seconds[pool] / horizon_s(pool, seconds, limits)
    paths = forecast.queued_paths if forecast else 0
    queued = backlog * paths / max(paths + sum(each.load.requests_waiting for each in signals.values()), 1)
    unknown = (*signals[pool].missing, *(() if forecast else ("orchestrator",)))
    return Demand(
        steady=steady,
        draining=max(running - steady, 0.0),
        waiting=backlog - queued,
        queued=queued,
        unknown=tuple(map(str, unknown)),
        coming=None if forecast is None else forecast.paths_per_s * seconds[pool],
    )


def _woken(pool: Pool, signals: Mapping[Pool, PoolSignals]) -> int:
    """Calls that wait for the pool behind this one and have nothing here to come back to."""
    engines = signals[pool].engines
    if engines.ready or engines.starting:
        return 0
    return sum(signals[behind].load.requests_waiting for behind, before in UPSTREAM.items() if before is pool)


def _steady(
    running: float,
    pool: Pool,
    seconds: Mapping[Pool, float],
    signals: Mapping[Pool, PoolSignals],
    forecast: Forecast,
    limits: Mapping[Pool, ScalingLimits],
) -> float:
    """Slots for work as it comes. A backlog behind this pool is no reason to grow, so there it only says less."""
    arriving = forecast.paths_per_s * seconds[pool]
    if signals[pool].load.requests_waiting or forecast.queued_paths:
        return arriving
    before = UPSTREAM.get(pool)
    if before is not None and signals[before].load.requests_waiting and seconds[before]:
        return min(arriving, passed(pool, seconds, signals, limits) * seconds[pool])
    if any(each.load.requests_waiting for each in signals.values()):
        return min(running, arriving)
    return running


def service_demand(service: Service, signals: PoolSignals) -> Demand:
    """The demand for replicas of a service itself: a slot is one call that it has in hand."""
    load = signals.loads.get(service)
    if load is None:
        return Demand(unknown=(str(service),))
    return Demand(steady=load.requests_running, waiting=load.requests_waiting)
