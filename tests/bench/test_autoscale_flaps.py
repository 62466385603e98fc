"""What counts as a flap, and what replicas' lives log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ssr_bench.autoscale.flaps import flaps
from ssr_bench.autoscale.life import Change, Life, asked, ready, value_at, within

WINDOW_S = 300.0


def needing(*changes: tuple[float, int]) -> Sequence[Change]:
    return [Change(at_s, value) for at_s, value in changes]


STEADY = needing((0, 3))


@pytest.mark.parametrize(
    ("numbers", "need", "found"),
    [
        ([(0, 3)], STEADY, []),
        ([(0, 1), (10, 2), (20, 4)], STEADY, []),  # one direction
        ([(0, 3), (10, 4), (200, 3)], STEADY, [200]),  # given back within the window
        ([(0, 3), (10, 4), (310, 3)], STEADY, []),  # after the window
        ([(0, 3), (10, 2), (60, 3)], STEADY, [60]),  # taken away, asked for again
        ([(0, 3), (10, 4), (20, 3), (30, 4)], STEADY, [20, 30]),
        ([(0, 1), (10, 2), (15, 5), (200, 3)], STEADY, [200]),  # against the last change, not the first
        ([(0, 3), (10, 3), (20, 4), (30, 4)], STEADY, []),  # no change is none
        ([(0, 3), (10, 2), (60, 5)], needing((0, 2), (50, 5)), []),  # the need has risen: rightly so
        ([(0, 3), (10, 5), (60, 3)], needing((0, 5), (50, 3)), []),  # it has fallen
        ([(0, 3), (10, 5), (60, 3)], needing((0, 5), (50, 6)), [60]),  # it has risen, and replicas are given back
        ([(0, 3), (10, 2), (60, 5)], needing((0, 2), (61, 5)), [60]),  # it rises later
    ],
)
def test_flaps(numbers: list[tuple[float, int]], need: Sequence[Change], found: list[float]) -> None:
    changes = [Change(at_s, value) for at_s, value in numbers]
    assert flaps(changes, WINDOW_S, lambda at_s: value_at(need, at_s)) == found


LIVES = (
    Life(asked_s=-20, ready_s=-20),
    Life(asked_s=10, ready_s=70, stopped_s=100, ended_s=130),
    Life(asked_s=10, ready_s=71),
    Life(asked_s=20, stopped_s=40, ended_s=40),  # not needed any more before it served
)


def test_lives_report_how_many_were_asked_for_and_how_many_served() -> None:
    assert list(asked(LIVES)) == [(-20, 1), (10, 3), (20, 4), (40, 3), (100, 2)]
    assert list(ready(LIVES)) == [(-20, 1), (70, 2), (71, 3), (100, 2)]
    assert [value_at(asked(LIVES), at_s) for at_s in (-30, 0, 10, 30, 500)] == [0, 1, 3, 4, 2]


def test_a_day_has_the_changes_within_it_and_begins_with_what_was_there() -> None:
    assert within(asked(LIVES), 40) == [(0, 1), (10, 3), (20, 4)]


def test_a_stop_and_a_start_at_one_time_are_no_change() -> None:
    assert list(asked([Life(0, stopped_s=10), Life(10)])) == [(0, 1)]


@pytest.mark.parametrize(("life", "paid_s"), [*zip(LIVES, [200, 120, 190, 20], strict=True)])
def test_a_replica_is_paid_for_from_the_asking_to_its_end_within_the_day(life: Life, paid_s: float) -> None:
    assert life.paid_s(200) == paid_s


def test_a_life_after_the_day_costs_nothing() -> None:
    assert Life(asked_s=250, ended_s=300).paid_s(200) == 0


def test_times_can_be_reported_in_the_days_seconds() -> None:
    life = Life(asked_s=1005.0, ready_s=1008.0, stopped_s=None)
    assert life.since(1000.0, 20.0) == Life(asked_s=100.0, ready_s=160.0)
