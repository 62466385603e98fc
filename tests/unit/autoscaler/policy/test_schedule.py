from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from ssr.autoscaler.policy.schedule import ScheduledFloor, floor_at
from ssr.autoscaler.policy.settings import ScalingLimits, ScalingSettings, ScheduledLoad
from ssr.engines.load import Pool

LEAD_S = 120.0
FIRST: dict[str, Any] = {
    "name": "first lesson",
    "cron": "55 7 * * mon-fri",
    "duration_s": 600,
    "replicas": {"draft": 3, "target": 6},
    "zone": "Europe/Berlin",
}


def at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def floor(now: float, *loads: dict[str, Any], pool: Pool = Pool.TARGET) -> int:
    found = floor_at([ScheduledLoad(**load) for load in loads or (FIRST,)], pool, now, LEAD_S)
    return found.replicas if found else 0


@pytest.mark.parametrize(
    ("time", "replicas"),
    [
        ("2026-03-04T07:52:59.900", 0),
        ("2026-03-04T07:53:00", 6),
        ("2026-03-04T07:54:59.999", 6),
        ("2026-03-04T07:55:00", 6),
        ("2026-03-04T08:04:59.900", 6),
        ("2026-03-04T08:05:00", 0),
        ("2026-03-07T07:55:00", 0),
    ],
    ids=["too early", "lead", "just before", "begins", "last", "over", "saturday"],
)
def test_a_scheduled_load_applies_from_its_lead_to_its_end(time: str, replicas: int) -> None:
    assert floor(at(time)) == replicas


@pytest.mark.parametrize("day", ["2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"])
def test_a_scheduled_load_keeps_to_its_zones_clock(day: str) -> None:
    assert floor(at(f"{day}T07:55:00")) == 6
    assert floor(at(f"{day}T06:55:00")) == 0
    assert floor(at(f"{day}T08:55:00")) == 0


def test_a_scheduled_load_in_the_hour_that_is_left_out_counts_all_the_same() -> None:
    night = FIRST | {"cron": "30 2 * * *", "duration_s": 1800}
    assert floor(at("2026-03-29T03:10:00"), night) == 6


def test_a_long_scheduled_load_lasts_over_midnight() -> None:
    camp = FIRST | {"cron": "0 20 * * fri", "duration_s": 36 * 3600}
    assert floor(at("2026-03-08T07:59:00"), camp) == 6
    assert floor(at("2026-03-08T08:01:00"), camp) == 0


def test_of_several_scheduled_loads_the_highest_counts() -> None:
    loads = [
        ScheduledLoad(**FIRST),
        ScheduledLoad(**(FIRST | {"name": "test", "cron": "0 8 * * *", "replicas": {"target": 9}})),
    ]
    assert floor_at(loads, Pool.TARGET, at("2026-03-04T08:00:00"), LEAD_S) == ScheduledFloor(9, "test")
    assert floor_at(loads, Pool.DRAFT, at("2026-03-04T08:00:00"), LEAD_S) == ScheduledFloor(3, "first lesson")


def test_without_a_scheduled_load_there_is_no_floor() -> None:
    assert floor_at([], Pool.TARGET, 0.0, LEAD_S) is None
    other = FIRST | {"replicas": {"draft": 3}}
    assert floor(at("2026-03-04T07:55:00"), other) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cron": "99 7 * * *"}, "Bad minute; write minute hour day month weekday"),
        ({"cron": "0 55 7 * * mon"}, "Has 6 fields instead of 5"),
        ({"cron": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"zone": "Mars/Base"}, "'Mars/Base' is no known time zone"),
        ({"zone": "../etc/passwd"}, "is no known time zone"),
        ({"duration_s": 0}, "greater than 0"),
        ({"replicas": {"selector": 1}}, "'draft' or 'target'"),
        ({"minimum": 3}, "Extra inputs"),
    ],
)
def test_a_scheduled_load_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScheduledLoad(**(FIRST | wrong))


def test_settings_take_scheduled_loads_as_json() -> None:
    text = '[{"name": "a", "cron": "0 8 * * *", "duration_s": 60, "replicas": {"draft": 2}}]'
    assert ScalingSettings(schedule=text).schedule[0].replicas == {Pool.DRAFT: 2}  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="schedule"):
        ScalingSettings(schedule="[")  # type: ignore[arg-type]


def test_a_minimum_over_the_maximum_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_replicas 9 is over max_replicas 8"):
        ScalingLimits(min_replicas=9)


def test_settings_do_not_change() -> None:
    settings = ScalingSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.report_ttl_s = 3
    assert settings.pools[Pool.TARGET] == ScalingLimits()
