"""How each pool may be scaled, and when more replicas than the load asks for are wanted."""

from __future__ import annotations

import json
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ssr.autoscaler.policy.cron import Cron
from ssr.engines.load import Pool

Count = Annotated[int, Field(gt=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class ScalingLimits(BaseModel):
    """One pool: what a replica can do, and how its number may change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Replicas at least, whatever the load; 0 lets the pool sleep, and the next job pays the start-up.
    min_replicas: Annotated[int, Field(ge=0, le=10_000)] = 1
    #: Replicas at most, whatever the load or schedule.
    max_replicas: Count = 8
    #: Calls that one replica serves at a time at good speed.
    slots: Count = 64
    #: Tokens that one replica's cache holds (TGI: MAX_BATCH_TOTAL_TOKENS); None: calls alone are counted.
    cache_tokens: Annotated[int, Field(gt=0)] | None = None
    #: Tokens a second of one slot at work, until it is measured; a measurement counts within 1/4 to 4 times of it.
    slot_tokens_per_s: Annotated[float, Field(gt=0)] = 30.0
    #: The part of the slots that is to be in use; the rest is room for what comes before new replicas serve.
    utilisation: Fraction = 0.75
    #: The load may be off the target by this part before the number changes.
    tolerance: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    #: Seconds from asking for a replica to its first answer: node, image, weights, warm-up.
    startup_s: Seconds = 120.0
    #: Work that waits is to be done within this, in seconds; never sooner than the start-up or a path takes.
    drain_s: Seconds = 30.0
    #: Growth in any `up_period_s` seconds: to this multiple, or by `up_step` replicas, whichever is more.
    up_factor: Annotated[float, Field(ge=1, le=100)] = 4.0
    up_step: Count = 8
    up_period_s: Seconds = 15.0
    #: Growth while nothing waits is asked for when the load has lasted so many seconds: a few calls that meet for a
    #: moment are over before a new replica serves. With a backlog it is asked for at once.
    up_window_s: Annotated[float, Field(ge=0, le=86_400)] = 15.0
    #: The pool shrinks to the most that was needed within so many seconds.
    down_window_s: Seconds = 300.0
    #: Shrinking in any `down_period_s` seconds: by this part, or by `down_step` replicas, whichever is more.
    down_fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    down_step: Count = 1
    down_period_s: Seconds = 60.0
    #: Seconds without any work before the last replica goes (where `min_replicas` is 0).
    idle_s: Seconds = 900.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas {self.min_replicas} is over max_replicas {self.max_replicas}")
        return self


class ScheduledLoad(BaseModel):
    """A load that is known to come: from when and for how long a pool has at least so many replicas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: For the reasons of decisions.
    name: Annotated[str, Field(min_length=1, max_length=64)]
    #: Minute, hour, day of month, month, day of week: "55 7 * * mon-fri". The replicas serve by then.
    cron: str
    #: Seconds that it lasts.
    duration_s: Annotated[float, Field(gt=0, le=7 * 86_400)]
    #: Replicas at least, of each pool; one that is not named is left to its load.
    replicas: dict[Pool, Annotated[int, Field(ge=1, le=10_000)]]
    #: Whose time `cron` is in, as "Europe/Berlin".
    zone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        try:
            Cron(cron)
        except CronSimError as error:
            raise ValueError(
                f"{cron!r}: {error}; write minute hour day month weekday, as '55 7 * * mon-fri'"
            ) from error
        return cron

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no known time zone; write one as 'Europe/Berlin'") from error
        return zone


class ScalingSettings(BaseModel):
    """All pools, and the schedule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draft: ScalingLimits = ScalingLimits()
    target: ScalingLimits = ScalingLimits()
    #: A list, or the same in JSON.
    schedule: tuple[ScheduledLoad, ...] = ()
    #: The selector has engines of its own: what it asks is not the target's load.
    own_selector_engine: bool = False
    #: Seconds after which a report is ignored.
    report_ttl_s: Seconds = 20.0
    #: Seconds between decisions.
    interval_s: Seconds = 5.0

    @field_validator("schedule", mode="before")
    @classmethod
    def _parse(cls, schedule: object) -> object:
        return json.loads(schedule) if isinstance(schedule, str) else schedule

    @property
    def pools(self) -> dict[Pool, ScalingLimits]:
        return {Pool.DRAFT: self.draft, Pool.TARGET: self.target}
