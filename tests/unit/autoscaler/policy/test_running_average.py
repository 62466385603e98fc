from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.autoscaler.policy.average import Arrivals, RunningAverage


def fed(average: RunningAverage, *samples: float) -> float:
    for sample in samples:
        average = average.add(sample)
    return average.value


def test_without_samples_it_is_the_prior() -> None:
    assert RunningAverage(600.0).value == 600.0


def test_samples_take_over_from_the_prior() -> None:
    assert fed(RunningAverage(600.0, half_life=1e9, prior_weight=1.0), *[200.0] * 99) == pytest.approx(204.0, abs=0.1)
    assert fed(RunningAverage(600.0), *[200.0] * 300) == pytest.approx(200.0, abs=0.5)


def test_a_sample_counts_half_after_a_half_life() -> None:
    average = RunningAverage(10.0, half_life=1.0, prior_weight=1.0)
    assert fed(average, 40.0) == pytest.approx((10 / 2 + 40) / 1.5)
    assert fed(average, 40.0, 40.0) == pytest.approx((10 / 4 + 40 / 2 + 40) / 1.75)


def test_one_runaway_counts_as_eight_times_the_mean() -> None:
    average = RunningAverage(100.0, prior_weight=1.0)
    assert fed(average, 1e9) == fed(average, 800.0)


def test_a_new_level_is_followed_within_a_few_samples() -> None:
    assert fed(RunningAverage(10.0), *[5000.0] * 30) > 3500.0


def test_from_a_prior_of_nothing_it_can_rise() -> None:
    assert fed(RunningAverage(0.0), 60.0) == pytest.approx(20.0, rel=0.02)


@given(samples=st.lists(st.floats(0, 1e6), max_size=30), prior=st.floats(0, 1e6))
def test_it_stays_within_what_it_was_reported(samples: list[float], prior: float) -> None:
    reported = [prior, *samples]
    assert min(reported) - 1e-6 <= fed(RunningAverage(prior), *samples) <= max(reported) * (1 + 1e-9) + 1e-6


def test_arrivals_are_of_the_last_seconds() -> None:
    arrivals = Arrivals(window_s=10.0)
    assert arrivals.per_s(0.0) == 0.0
    arrivals.add(20, 1.0)
    arrivals.add(10, 8.0)
    assert [arrivals.per_s(at) for at in (8.0, 11.0, 11.5, 18.5)] == [3.0, 3.0, 1.0, 0.0]
