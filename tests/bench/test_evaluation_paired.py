"""Paired comparisons: against published examples, and what must hold for all inputs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr_bench.evaluation.paired import clustered, gain_of, holm, sign_flip, tango, tango_interval
from ssr_bench.evaluation.statistics import mcnemar

PAIR = st.tuples(st.booleans(), st.booleans())
GROUPS = st.lists(st.lists(PAIR, min_size=1, max_size=4), min_size=1, max_size=12)


def alone(both: int, first: int, second: int, neither: int) -> list[list[tuple[bool, bool]]]:
    kinds = (((True, True), both), ((True, False), first), ((False, True), second), ((False, False), neither))
    return [[pair] for pair, count in kinds for _ in range(count)]


def test_tangos_own_example() -> None:
    # Tango 1998: soft contact lenses, 43 of 44 pairs effective both ways, one by the old way alone; margin 0.1.
    assert tango(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)
    # by hand: with no pair of the first kind the restricted estimate is (1 - gain) / 88, or -gain where that is more
    low, high = tango_interval(0, 1, 44)
    for gain, z in ((low, 1.96), (high, -1.96)):
        assert (-1 - 44 * gain) / (44 * (2 * max((1 - gain) / 88, -gain) + gain * (1 - gain))) ** 0.5 == pytest.approx(
            z, abs=1e-3
        )


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60))
def test_the_interval_has_what_the_test_does_not_reject(first: int, second: int, rest: int) -> None:
    total = first + second + rest
    low, high = tango_interval(first, second, total)
    assert -1 <= low <= (first - second) / total <= high <= 1
    for end, sign in ((low, 1), (high, -1)):
        if -0.999 < end < 0.999:
            assert sign * tango(first, second, total, end) == pytest.approx(1.96, abs=1e-3)


def test_without_a_difference_nothing_is_certain() -> None:
    found = gain_of(alone(3, 0, 0, 2))
    assert found is not None
    assert found.gain.value == 0
    assert found.gain.low < -0.3
    assert found.p == 1
    assert not found.no_worse(0.05)
    many = gain_of(alone(300, 0, 0, 200))
    assert many is not None
    assert many.no_worse(0.05)
    assert many.no_worse_p(0.05) < 0.001


def test_no_worse_is_what_the_one_sided_test_rejects() -> None:
    for first, second in itertools.product(range(0, 12, 3), repeat=2):
        found = gain_of(alone(50, first, second, 31))
        assert found is not None
        for margin in (0.02, 0.05, 0.1):
            assert found.no_worse(margin) == (found.no_worse_p(margin) < 0.025)


@given(st.lists(PAIR, min_size=1, max_size=20))
def test_flipping_signs_of_single_pairs_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    assert sign_flip([int(a) - int(b) for a, b in pairs]) == pytest.approx(mcnemar(pairs).p)


@given(st.lists(st.integers(-3, 3), max_size=8))
def test_flipping_signs_counts_every_way(differences: list[int]) -> None:
    far = abs(sum(differences))
    ways = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    assert sign_flip(differences) == pytest.approx(sum(one >= far for one in ways) / len(ways))


def test_repeats_of_a_problem_are_no_new_problems() -> None:
    once = gain_of(alone(10, 6, 0, 10))
    thrice = gain_of([group * 3 for group in alone(10, 6, 0, 10)])
    assert once is not None
    assert thrice is not None
    assert thrice.gain.value == once.gain.value
    assert thrice.p == once.p == pytest.approx(2 / 2**6)
    assert thrice.trials == pytest.approx(26)
    assert thrice.gain.low <= once.gain.low + 1e-9
    assert thrice.gain.high >= once.gain.high - 1e-9


@given(GROUPS)
def test_intervals_hold_their_value_and_orders_do_not_matter(groups: list[list[tuple[bool, bool]]]) -> None:
    found, turned = gain_of(groups), gain_of([group[::-1] for group in groups[::-1]])
    assert found == turned
    assert found is not None
    assert -1 <= found.gain.low <= found.gain.value <= found.gain.high <= 1
    assert found.gain.value == pytest.approx(clustered(groups).value)
    assert gain_of([[]]) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
