"""What calls and paths take of an engine's slots. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ssr.autoscaler.policy.forecast import PathWork
from ssr.autoscaler.policy.settings import ScalingLimits
from ssr.autoscaler.policy.signals import PoolSignals
from ssr.engines.load import Load, Pool

#: A measured speed counts within these multiples of the one in the settings: at little load it is a rough measure.
_SLOWEST, _FASTEST = 0.25, 4.0


def path_seconds(
    signals: Mapping[Pool, PoolSignals], work: PathWork, limits: Mapping[Pool, ScalingLimits]
) -> dict[Pool, float]:
    """How long one path keeps a slot of each pool busy, in seconds."""
    rate = signals[Pool.TARGET].load.rewrite_rate
    return {pool: work.tokens(pool, rate) / _slot_speed(signals[pool].load, limits[pool]) for pool in Pool}


def waiting_slots(load: Load, limits: ScalingLimits) -> float:
    """Slots that the calls would take which wait for one."""
    return _occupied(load.requests_waiting, load.tokens_waiting, limits)


def running_slots(load: Load, limits: ScalingLimits) -> float:
    """Slots that the calls take which run."""
    return _occupied(load.requests_running, load.tokens_running, limits)


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
