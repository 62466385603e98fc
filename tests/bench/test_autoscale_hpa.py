"""The comparator decides as Kubernetes' documentation of its HPA says."""

from __future__ import annotations

import pytest

from ssr_bench.autoscale.hpa import Hpa, HpaSettings

SETTINGS = HpaSettings(target=4.0, max_replicas=20)


@pytest.mark.parametrize(
    ("metric", "replicas", "wanted"),
    [
        (0, 1, 1),  # never below the minimum
        (4, 1, 1),
        (4.3, 1, 1),  # within the tolerance of 0.1
        (4.5, 1, 2),
        (8, 1, 2),
        (17, 1, 5),  # five are wanted: +4 in one period
        (40, 1, 5),  # ten are
        (80, 8, 16),  # twice as many in one period
        (400, 15, 20),  # the maximum
    ],
)
def test_growth(metric: float, replicas: int, wanted: int) -> None:
    assert Hpa(SETTINGS).decide(metric, replicas, now=0.0) == wanted


def test_growth_in_one_period_counts_from_its_beginning() -> None:
    hpa = Hpa(SETTINGS)
    assert hpa.decide(400, 2, now=0.0) == 6
    assert hpa.decide(400, 6, now=14.0) == 6
    assert hpa.decide(400, 6, now=15.0) == 12


def test_it_shrinks_to_the_most_that_was_wanted_within_the_window() -> None:
    hpa = Hpa(SETTINGS)
    assert hpa.decide(32, 8, now=0.0) == 8
    assert hpa.decide(20, 8, now=15.0) == 8
    assert hpa.decide(0, 8, now=299.0) == 8
    assert hpa.decide(0, 8, now=300.0) == 5  # the 8 are 300 s old
    assert hpa.decide(0, 5, now=316.0) == 1


def test_a_part_may_go_in_one_period() -> None:
    hpa = Hpa(HpaSettings(target=4.0, down_fraction=0.25, down_window_s=1.0))
    assert hpa.decide(0, 8, now=0.0) == 6
    assert hpa.decide(0, 6, now=5.0) == 6
    assert hpa.decide(0, 6, now=15.0) == 4


def test_it_grows_to_the_least_that_was_wanted_within_a_window() -> None:
    hpa = Hpa(HpaSettings(target=1.0, up_step=0, up_window_s=300.0))
    assert hpa.decide(2, 2, now=0.0) == 2
    assert hpa.decide(8, 2, now=150.0) == 2
    assert hpa.decide(6, 2, now=299.0) == 2  # the 2 is not old enough
    assert hpa.decide(8, 2, now=300.0) == 4  # 6 were wanted at least; twice as many in one period
    assert hpa.decide(8, 4, now=315.0) == 6
