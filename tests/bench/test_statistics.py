from __future__ import annotations

import pytest

from ssr_bench.statistics import Summary, percentile, share


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 10.0), (25, 10.0), (26, 20.0), (50, 20.0), (75, 30.0), (99, 40.0), (100, 40.0)]
)
def test_a_percentile_is_the_value_of_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([10.0, 20.0, 30.0, 40.0], percent) == expected


def test_the_99th_of_101_values_leaves_one_above() -> None:
    assert percentile([float(value) for value in range(101)], 99) == 99.0


@pytest.mark.parametrize(("values", "percent"), [([], 50.0), ([1.0], -1.0), ([1.0], 100.5)])
def test_there_is_no_percentile_of_nothing_or_beyond_100(values: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, percent)


def test_a_summary_does_not_need_order() -> None:
    assert Summary.of([3.0, 1.0, 8.0]) == Summary(count=3, mean=4.0, p50=3.0, p99=8.0, max=8.0)


def test_a_summary_of_nothing_is_zero() -> None:
    assert Summary.of([]) == Summary(0, 0.0, 0.0, 0.0, 0.0)


def test_a_share_of_nothing_is_zero() -> None:
    assert share(3, 12) == 0.25
    assert share(3, 0) == 0.0
