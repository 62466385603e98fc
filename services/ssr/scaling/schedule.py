"""Lesson bells: replicas that are ready before a load that is known to come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ssr.scaling.cron import Cron
from ssr.scaling.settings import Bell
from ssr.scaling.signals import Pool


@dataclass(frozen=True, slots=True)
class Floor:
    """At least `replicas` are wanted now, because of the bell `name`."""

    replicas: int
    name: str


def floor_at(bells: Iterable[Bell], pool: Pool, now: float, lead_s: float) -> Floor | None:
    """The highest minimum that applies to `pool` at `now`, or None.

    A bell applies from `lead_s` seconds (the engines' start-up) before its time until its duration is over.
    """
    rings = [bell for bell in bells if pool in bell.replicas and _applies(bell, now, lead_s)]
    floors = [Floor(bell.replicas[pool], bell.name) for bell in rings]
    return max(floors, key=lambda floor: floor.replicas, default=None)


def _applies(bell: Bell, now: float, lead_s: float) -> bool:
    # All last equally long, so the latest of those that have begun is the one that ends last.
    begun = Cron(bell.cron).latest(now + lead_s, ZoneInfo(bell.zone))
    return begun is not None and now < begun + bell.duration_s
