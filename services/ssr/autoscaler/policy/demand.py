"""How many engine slots a pool's work occupies, or would if it had them.

While nothing waits, what runs is the steady need. As soon as something waits anywhere, it is not: too little runs where
it waits, too much where a backlog is worked off. Little's law holds then: slots = paths a second x seconds that a path
spends in this pool. What runs beyond that is backlog at work (`draining`).

What has piled up is added as the slots that finish it within a horizon: a path that waits (`waiting` for an engine,
`queued` for an orchestrator) needs seconds-in-this-pool / horizon of a slot. The horizon is at least the engines'
start-up, because nothing that is asked for now serves sooner, and so a backlog that grows only while replicas start
does not ask for the same capacity twice. It is at least the time a path takes, because its steps come one by one.

The seconds in a pool follow from that pool's own tokens: drafts in the draft pool; scores, rewrites (rewrite rate x
tokens of a rewrite) and selection in the target pool. More rewrites therefore ask for target slots only.

A pool without any engine needs what waits for the other one, too: those paths come to it next, and it should start
beside the other pool, not after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssr.autoscaler.policy.forecast import Forecast, PathWork
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import PoolSignals, Service
from ssr.engines.load import Load, Pool

#: A measured speed counts within these multiples of the one in the settings: at little load it is a rough measure.
_SLOWEST, _FASTEST = 0.25, 4.0


@dataclass(frozen=True, slots=True)
class Demand:
    """Slots that a pool needs, and what they are for.

    `steady` is for work as it comes, and goes on; the rest is for what has piled up, and ends: at work (`draining`),
    `waiting` for an engine, `queued`. `unknown` names who did not report; the true demand may then be higher, and
    nothing is to be taken away. `coming` are the slots for paths at the rate at which they come (None: nobody knows):
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
    own, load = limits[pool], signals[pool].load
    seconds = _path_seconds(signals, forecast.work if forecast else PathWork(), limits)
    share = seconds[pool] / max(sum(seconds.values()), own.drain_s, own.startup_s)
    running = _occupied(load.requests_running, load.tokens_running, own)
    steady = running if forecast is None else _steady(running, seconds[pool], pool, signals, forecast)
    unknown = (*signals[pool].missing, *(() if forecast else ("orchestrator",)))
    return Demand(
        steady=steady,
        draining=max(running - steady, 0.0),
        waiting=_occupied(load.requests_waiting, load.tokens_waiting, own) * share,
        queued=((forecast.queued_paths if forecast else 0) + _coming(pool, signals)) * share,
        unknown=tuple(map(str, unknown)),
        coming=None if forecast is None else forecast.paths_per_s * seconds[pool],
    )


def _coming(pool: Pool, signals: Mapping[Pool, PoolSignals]) -> int:
    """Calls that wait for another pool's engines and have nothing here to come to."""
    engines = signals[pool].engines
    if engines.ready or engines.starting:
        return 0
    return sum(each.load.requests_waiting for other, each in signals.items() if other is not pool)


def _steady(
    running: float, seconds: float, pool: Pool, signals: Mapping[Pool, PoolSignals], forecast: Forecast
) -> float:
    """Slots for work as it comes. A backlog that is elsewhere is no reason to grow, so there it only says less."""
    arriving = forecast.paths_per_s * seconds
    if signals[pool].load.requests_waiting or forecast.queued_paths:
        return arriving
    if any(each.load.requests_waiting for each in signals.values()):
        return min(running, arriving)
    return running


def service_demand(service: Service, signals: PoolSignals) -> Demand:
    """The demand for replicas of a service itself: a slot is one call that it has in hand."""
    load = signals.loads.get(service)
    if load is None:
        return Demand(unknown=(str(service),))
    return Demand(steady=load.requests_running, waiting=load.requests_waiting)


def _path_seconds(
    signals: Mapping[Pool, PoolSignals], work: PathWork, limits: Mapping[Pool, ScalingLimits]
) -> dict[Pool, float]:
    """How long one path keeps a slot of each pool busy."""
    rate = signals[Pool.TARGET].load.rewrite_rate
    return {pool: work.tokens(pool, rate) / _slot_speed(signals[pool].load, limits[pool]) for pool in Pool}


def _slot_speed(load: Load, limits: ScalingLimits) -> float:
    """Tokens a second of one slot at work: as measured, within reason."""
    expected = limits.slot_tokens_per_s
    if not load.busy_slots or not load.tokens_per_s:
        return expected
    measured = load.tokens_per_s / load.busy_slots
    return min(max(measured, _SLOWEST * expected), _FASTEST * expected)


def _occupied(requests: int, tokens: int, limits: ScalingLimits) -> float:
    """Slots that so many calls take: one each, or more where their tokens fill the engines' caches first."""
    if limits.cache_tokens is None:
        return float(requests)
    return max(float(requests), tokens * limits.slots / limits.cache_tokens)
