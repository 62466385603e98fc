from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.scaling.average import RunningAverage


def test_without_samples_it_is_the_prior() -> None:
    assert RunningAverage(600.0).value(now=1e9) == 600.0


def test_samples_take_over_from_the_prior() -> None:
    average = RunningAverage(600.0, prior_weight=1.0)
    for second in range(99):
        average = average.add(200.0, now=float(second) / 1000)
    assert average.value(0.099) == pytest.approx(204.0, abs=0.1)


def test_a_sample_counts_half_after_a_half_life() -> None:
    average = RunningAverage(10.0, half_life_s=60.0, prior_weight=1.0).add(40.0, now=0.0)
    assert average.value(0.0) == pytest.approx(25.0)
    assert average.value(60.0) == pytest.approx((10 + 40 / 2) / 1.5)


def test_it_returns_to_the_prior_when_samples_stay_out() -> None:
    average = RunningAverage(10.0, half_life_s=60.0).add(80.0, now=0.0)
    assert average.value(6000.0) == pytest.approx(10.0)


def test_one_runaway_counts_as_eight_times_the_mean() -> None:
    average = RunningAverage(100.0, prior_weight=1.0)
    assert average.add(1e9, now=0.0).value(0.0) == average.add(800.0, now=0.0).value(0.0)


def test_a_new_level_is_followed_within_a_few_samples() -> None:
    average = RunningAverage(10.0)
    for second in range(30):
        average = average.add(5000.0, now=float(second))
    assert average.value(30.0) > 3500.0


def test_from_a_prior_of_nothing_it_can_rise() -> None:
    assert RunningAverage(0.0).add(60.0, now=0.0).value(0.0) == pytest.approx(20.0)


def test_a_clock_that_went_back_forgets_nothing() -> None:
    average = RunningAverage(0.0, half_life_s=1.0).add(60.0, now=100.0)
    assert average.value(0.0) == average.value(100.0)
    assert average.add(60.0, now=0.0).at == 100.0


@given(
    samples=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e4)), max_size=30),
    prior=st.floats(0, 1e6),
)
def test_it_stays_within_what_it_was_told(samples: list[tuple[float, float]], prior: float) -> None:
    average, now = RunningAverage(prior), 0.0
    for sample, wait in samples:
        now += wait
        average = average.add(sample, now)
    told = [prior, *(sample for sample, _ in samples)]
    assert min(told) - 1e-6 <= average.value(now) <= max(told) * (1 + 1e-9) + 1e-6
