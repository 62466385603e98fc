"""What will wait for a pool when replicas that are asked for now serve, and the slots that finish it then. Pure.

Until then a backlog grows by what comes and the engines there are cannot do, or shrinks by what they can do more. Who
asks for what waits by now, again and again while it grows, gets the last replicas when nobody needs them any more. So
its growth is forecast, paths coming on as they do, and asked for at once; what the engines work off by themselves is
not asked for. Replicas that are starting count for half of the time: when each was asked for is not known here.

Paths are drafted first, and come to the target's engines from there. What is stuck before the draft engines comes on
as soon as there are more of those: the target is asked for that in the same decision, as far as all the draft engines
that there may be let it through.
"""

from __future__ import annotations

from collections.abc import Mapping

from ssr.autoscaler.policy.forecast import Forecast
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import PoolSignals
from ssr.autoscaler.policy.slots import running_slots, waiting_slots
from ssr.engines.load import Pool

#: Where the paths of a pool come from.
UPSTREAM = {Pool.TARGET: Pool.DRAFT}


def horizon_s(pool: Pool, seconds: Mapping[Pool, float], limits: Mapping[Pool, ScalingLimits]) -> float:
    """Within how many seconds a backlog is to be finished: never sooner than a path is, or a replica starts."""
    own = limits[pool]
    return max(sum(seconds.values()), own.drain_s, own.startup_s)


def backlog_slots(
    pool: Pool,
    seconds: Mapping[Pool, float],
    signals: Mapping[Pool, PoolSignals],
    forecast: Forecast | None,
    limits: Mapping[Pool, ScalingLimits],
) -> float:
    """Slots of `pool` beyond those for work as it comes. `seconds`: how long a path keeps a slot of each pool busy.

    Without a forecast nobody knows what comes: then what waits now is all, and the engines have no time for it.
    """
    own, within_s = limits[pool], horizon_s(pool, seconds, limits)
    waiting = waiting_slots(signals[pool].load, own)
    if forecast is None:
        return waiting * seconds[pool] / within_s
    ahead, stuck = _ahead(pool, seconds, signals, forecast, limits)
    if not waiting and not ahead:
        return 0.0
    coming = forecast.paths_per_s * own.startup_s + ahead - stuck
    done = _capacity(pool, signals, limits) * own.startup_s
    piled_up = max((waiting + coming) * seconds[pool] - done, 0.0)
    released = stuck / within_s
    if stuck:
        released = min(released, max(passed(pool, seconds, signals, limits) - forecast.paths_per_s, 0.0))
    return piled_up / within_s + released * seconds[pool]


def passed(
    pool: Pool,
    seconds: Mapping[Pool, float],
    signals: Mapping[Pool, PoolSignals],
    limits: Mapping[Pool, ScalingLimits],
) -> float:
    """Paths a second that can come to `pool` from the one before it, with as many replicas as that may have.

    Engines that nobody counts are not ours to scale: they go on as they do.
    """
    before = UPSTREAM[pool]
    engines, running = signals[before].engines, running_slots(signals[before].load, limits[before])
    replicas = engines.ready + engines.starting
    if running and not replicas:
        return running / seconds[before]
    return max(limits[before].max_replicas, replicas) * limits[before].slots / seconds[before]


def _ahead(
    pool: Pool,
    seconds: Mapping[Pool, float],
    signals: Mapping[Pool, PoolSignals],
    forecast: Forecast,
    limits: Mapping[Pool, ScalingLimits],
) -> tuple[float, float]:
    """Paths that wait before they come to `pool`, and those that will when its new replicas serve."""
    queued, before = float(forecast.queued_paths), UPSTREAM.get(pool)
    if before is None or not seconds[before]:
        return queued, 0.0
    ahead = queued + waiting_slots(signals[before].load, limits[before])
    if not ahead:
        return 0.0, 0.0
    growth = forecast.paths_per_s - _capacity(before, signals, limits) / seconds[before]
    return ahead, max(ahead + growth * limits[pool].startup_s, 0.0)


def _capacity(pool: Pool, signals: Mapping[Pool, PoolSignals], limits: Mapping[Pool, ScalingLimits]) -> float:
    """Slots at work, on the mean, until a replica that is asked for now serves."""
    engines = signals[pool].engines
    counted = (engines.ready + engines.starting / 2) * limits[pool].slots
    return max(counted, running_slots(signals[pool].load, limits[pool]))
