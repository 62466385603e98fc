"""The schedule: replicas that are ready before a load that is known to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ssr.autoscaler.policy.cron import Cron
from ssr.autoscaler.policy.settings import ScheduledLoad
from ssr.engines.load import Pool


@dataclass(frozen=True, slots=True)
class ScheduledFloor:
    """At least `replicas` are wanted now, because of the load `name`."""

    replicas: int
    name: str


def floor_at(schedule: Iterable[ScheduledLoad], pool: Pool, now: float, lead_s: float) -> ScheduledFloor | None:
    """The highest minimum that applies to `pool` at `now`, or None.

    A load applies from `lead_s` seconds (the engines' start-up) before its time until its duration is over.
    """
    applying = [load for load in schedule if pool in load.replicas and _applies(load, now, lead_s)]
    floors = [ScheduledFloor(load.replicas[pool], load.name) for load in applying]
    return max(floors, key=lambda floor: floor.replicas, default=None)


def _applies(load: ScheduledLoad, now: float, lead_s: float) -> bool:
    # All last equally long, so the latest of those that have begun is the one that ends last.
    begun = Cron(load.cron).latest(now + lead_s, ZoneInfo(load.zone))
    return begun is not None and now < begun + load.duration_s
