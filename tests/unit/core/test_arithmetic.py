r"""Which sums count as false: plain ones that do not hold, in the notations models write; never what may be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.arithmetic import false_sum

FALSE = [
    "3 + 4 = 8",
    "So she has 16 - 3 - 4 = 10 eggs left.",
    "9 × 2 = 19",
    "\\[ 9 \\times 2 = 19 \\]",
    "- 24 cents + 14 cents = 48 cents",
    "24 \\text{ cents} + 14 \\text{ cents} = 48 \\text{ cents}",
    "Therefore, Raymond's current age is \\(23 + 6 = 39\\) years old.",
    "The remainder of the eggs is \\(16 - 3 - 4 = 10\\).",
    "100 \\div 4 = 20",
    "$80,000 + $50,000 = $13,000",
    "\\frac{32.95 \\text{ miles}}{3 \\text{ days}} = 10.65 \\text{ miles/day}",
    "40.00 - 200.00 = -80.00",
    "542 (girls) + 387 = 939".replace(" (girls)", " girls"),
    "2. 5 + 14 = \\boxed{29}",
    "20 - (12 + 4) = 8",
    "3 + 4 = 7\n\n5 + 5 = 11",
]
NOT_FALSE = [
    "3 + 4 = 7",
    "50 / 8 = 6",
    "10 / 3 = 3.33",
    "2 / 3 = 0.67",
    "7 tens + 3 ones = 73",
    "200 + 10% = 220",
    "2S + 30 = 110",
    "(1/3)F - 11 = 5",
    "x + 3 + 4 = 8",
    "3 hours + 30 minutes = 210 minutes",
    "17 / 5 = 3 remainder 2",
    "3 + 4 ≈ 8",
    "3 + 4 == 8",
    "if 3 + 4 = 8",
    "3 + 4 isn't = 8",
    "2^3 + 1 = 7",
    "20% of 50 = 11",
    "0.216 * 0.216p = 0.04624p",
    "f(3) + 1 = 12",
    "9 eggs × $2 = $18 per day",
    "4 * 4 + = 3",
    "1 / 0 = 5",
    "=",
    "",
]


@pytest.mark.parametrize("text", FALSE)
def test_a_sum_that_does_not_hold_is_false(text: str) -> None:
    assert false_sum(text)


@pytest.mark.parametrize("text", NOT_FALSE)
def test_what_may_be_right_is_passed_over(text: str) -> None:
    assert false_sum(text) == ""


def test_a_problem_with_an_arithmetic_of_its_own_is_passed_over() -> None:
    assert false_sum("7 + 8 = 3", "What is 7 + 8 in base 12?") == ""
    assert false_sum("3 * 4 = 19", "The operation * is defined by a * b = a + b^2. Find 3 * 4.") == ""


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from("+-*"), st.integers(1, 99))
def test_integers_are_added_exactly(a: int, b: int, sign: str, off: int) -> None:
    right = {"+": a + b, "-": a - b, "*": a * b}[sign]
    assert false_sum(f"{a} {sign} {b} = {right}") == ""
    assert false_sum(f"{a} {sign} {b} = {right + off}") != ""


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    false_sum(f"{text} 1 + 1 = 2 {text}")
