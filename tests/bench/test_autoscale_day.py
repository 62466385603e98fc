"""The load script: which job comes when."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from ssr.core.errors import InvalidRequest
from ssr_bench.autoscale.day import BURST, FULL_DAY, QUICK_DAY, ArrivalKind, DayOfLoad, Phase

DAY = DayOfLoad(
    (
        Phase("calm", 100, load=1),
        Phase(BURST, 200, load=20, ramp_s=30),
        Phase("heavy", 100, load=2, kind=ArrivalKind.STRICT),
    ),
    calm_jobs_per_s=0.1,
)


@pytest.mark.parametrize(
    ("at_s", "jobs_per_s"),
    [(-1, 0.0), (0, 0.1), (99.9, 0.1), (100, 0.1), (115, 1.05), (130, 2.0), (299, 2.0), (300, 0.2), (400, 0.0)],
)
def test_the_rate_follows_the_phases_and_their_ramps(at_s: float, jobs_per_s: float) -> None:
    assert DAY.jobs_per_s(at_s) == pytest.approx(jobs_per_s)


def test_as_many_jobs_come_as_the_rate_adds_up_to() -> None:
    come = Counter(arrival.phase for arrival in DAY.arrivals(seed=1))
    for name, jobs in {"calm": 10, BURST: 0.1 * 30 * 21 / 2 + 170 * 2.0, "heavy": 20}.items():
        assert come[name] == pytest.approx(jobs, abs=1.5)


def test_arrivals_are_in_order_each_of_its_phase_and_with_a_number_of_its_own() -> None:
    arrivals = DAY.arrivals(seed=1)
    assert [arrival.number for arrival in arrivals] == list(range(len(arrivals)))
    assert all(one.at_s <= next_one.at_s for one, next_one in pairwise(arrivals))
    for arrival in arrivals:
        phase = DAY.phase_at(arrival.at_s)
        assert (arrival.phase, arrival.kind) == (phase.name, phase.kind)


def test_another_seed_moves_the_jobs_and_leaves_their_number() -> None:
    one, other = DAY.arrivals(seed=1), DAY.arrivals(seed=2)
    assert [arrival.at_s for arrival in one] != [arrival.at_s for arrival in other]
    assert len(one) == pytest.approx(len(other), abs=1)
    assert DAY.arrivals(seed=1) == one


def test_no_more_than_two_jobs_come_in_the_time_of_one() -> None:
    times = [arrival.at_s for arrival in DAY.arrivals(seed=3) if 135 <= arrival.at_s < 295]
    assert all(later - earlier > 0.35 for earlier, later in zip(times, times[2:], strict=False))  # every 0.5 s one


@pytest.mark.parametrize("day", [FULL_DAY, QUICK_DAY])
def test_the_days_have_a_burst_of_twenty_times_the_load_within_30_s_and_a_strict_hour(day: DayOfLoad) -> None:
    burst = day.start_of(BURST)
    assert day.jobs_per_s(burst + 30) == pytest.approx(20 * day.jobs_per_s(burst - 1))
    assert ArrivalKind.STRICT in {phase.kind for phase in day.phases}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"phases": ()}, "phases"),
        ({"phases": (Phase("calm", 10, 1), Phase("calm", 10, 1))}, "phases"),
        ({"calm_jobs_per_s": 0.0}, "calm_jobs_per_s"),
        ({"paths": 17}, "paths"),
        ({"operations": 0}, "operations"),
    ],
)
def test_a_day_out_of_its_limits_is_refused_by_name(change: dict[str, object], field: str) -> None:
    known: dict[str, object] = {"phases": DAY.phases, "calm_jobs_per_s": 0.1}
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        DayOfLoad(**{**known, **change})  # type: ignore[arg-type]


def test_a_phase_cannot_rise_for_longer_than_it_lasts() -> None:
    with pytest.raises(InvalidRequest, match="^burst ramp_s: must be within 0..30"):
        Phase("burst", 30, load=2, ramp_s=31)
