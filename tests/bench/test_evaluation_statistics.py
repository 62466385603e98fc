"""The evaluation's statistics, against examples computed by hand and what must hold for all inputs."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr_bench.evaluation.statistics import (
    Z95,
    IntervalEstimate,
    auc,
    auc_estimate,
    effective_trials,
    mcnemar,
    pass_at_k,
    ratio,
    wilson,
)

OUTCOMES = st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("right", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),  # (0.8 + z²/20 ± z √(0.016 + z²/400)) / (1 + z²/10), z = 1.96
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (33, 60, 0.4249, 0.6690),
    ],
)
def test_wilson_intervals(right: int, trials: int, low: float, high: float) -> None:
    estimate = wilson(right / trials, trials)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))  # type: ignore[comparison-overlap]
    assert estimate.value == right / trials


@given(st.integers(1, 500), st.data())
def test_wilsons_ends_are_where_the_share_is_just_not_surprising(trials: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, trials)) / trials
    estimate = wilson(share, trials)
    assert 0 <= estimate.low <= share <= estimate.high <= 1
    for end in (estimate.low, estimate.high):
        if 0 < end < 1:
            assert abs(share - end) == pytest.approx(Z95 * math.sqrt(end * (1 - end) / trials), rel=1e-6, abs=1e-9)


def test_without_trials_all_is_possible() -> None:
    assert wilson(0.0, 0) == IntervalEstimate(0.0, 0.0, 1.0)


def test_repeats_that_always_agree_count_once() -> None:
    assert effective_trials([[True, True, True], [False, False, False]]) == pytest.approx(2)


def test_repeats_that_differ_within_problems_only_all_count() -> None:
    assert effective_trials([[True, False], [False, True]]) == 4


def test_partly_alike_repeats_count_in_part() -> None:
    # shares 1, 1/2, 0: mean 1/2, between = 2 (1/4 + 0 + 1/4) / 2 = 1/2, within = (2 x 1/4) / 3 = 1/6, n = 2:
    # r = (1/2 - 1/6) / (1/2 + 1/6) = 1/2; 6 / (1 + 1/2) = 4
    assert effective_trials([[True, True], [True, False], [False, False]]) == pytest.approx(4)


@given(OUTCOMES)
def test_effective_trials_lie_between_problems_and_runs(groups: list[list[bool]]) -> None:
    assert len(groups) <= effective_trials(groups) <= sum(map(len, groups)) + 1e-9


@pytest.mark.parametrize(("first", "second", "p"), [(1, 5, 14 / 64), (0, 4, 2 / 16), (3, 3, 1.0), (0, 0, 1.0)])
def test_mcnemar_counts_the_pairs_that_differ(first: int, second: int, p: float) -> None:
    pairs = [(True, False)] * first + [(False, True)] * second + [(True, True)] * 7 + [(False, False)] * 2
    paired = mcnemar(pairs)
    assert (paired.only_first, paired.only_second) == (first, second)
    assert paired.p == pytest.approx(p)


@pytest.mark.parametrize(
    ("samples", "right", "k", "chance"), [(5, 2, 2, 0.7), (4, 1, 3, 0.75), (3, 0, 3, 0), (3, 3, 1, 1)]
)
def test_pass_at_k(samples: int, right: int, k: int, chance: float) -> None:
    assert pass_at_k(samples, right, k) == pytest.approx(chance)


@given(st.integers(1, 8), st.data())
def test_pass_at_k_is_the_mean_over_all_choices(samples: int, data: st.DataObject) -> None:
    right, k = data.draw(st.integers(0, samples)), data.draw(st.integers(1, samples))
    outcomes = [True] * right + [False] * (samples - right)
    choices = list(itertools.combinations(outcomes, k))
    assert pass_at_k(samples, right, k) == pytest.approx(sum(map(any, choices)) / len(choices))


def test_pass_at_k_needs_k_samples() -> None:
    with pytest.raises(ValueError, match="no pass@3 of 2 samples"):
        pass_at_k(2, 1, 3)


def test_a_ratio_is_of_sums() -> None:
    found = ratio([(1, 2), (8, 4)])
    assert found is not None
    assert found.value == pytest.approx(1.5)
    assert found.low == pytest.approx(0.5)  # only the first pair was drawn
    assert found.high == pytest.approx(2.0)
    assert ratio([]) is None
    assert ratio([(1, 0)]) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 100)), min_size=1, max_size=20), st.randoms())
def test_a_ratios_interval_holds_it_in_any_order(pairs: list[tuple[float, float]], dice: object) -> None:
    found = ratio(pairs, resamples=50)
    assert found is not None
    assert found.low <= found.value <= found.high
    dice.shuffle(pairs)  # type: ignore[attr-defined]
    assert ratio(pairs, resamples=50) == found


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=30))
def test_auc_is_the_share_of_pairs_won(paths: list[tuple[int, bool]]) -> None:
    rights = [score for score, right in paths if right]
    wrongs = [score for score, right in paths if not right]
    value = auc([float(score) for score, _ in paths], [right for _, right in paths])
    if not rights or not wrongs:
        assert value is None
    else:
        won = sum((a > b) + (a == b) / 2 for a in rights for b in wrongs)
        assert value == pytest.approx(won / (len(rights) * len(wrongs)))


def test_an_auc_has_an_interval_over_problems() -> None:
    groups = [[(8.0, True), (3.0, False)], [(5.0, True), (6.0, False)], [(9.0, True)]]
    found = auc_estimate(groups, resamples=200)
    assert found is not None
    assert found.value == pytest.approx(5 / 6)
    assert found.low <= found.value <= found.high
    assert auc_estimate([[(1.0, True)]]) is None
