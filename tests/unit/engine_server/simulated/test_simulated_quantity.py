from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.engine_server.simulated.quantity import (
    Calculation,
    Operator,
    compute,
    equation_in,
    format_number,
    parse_number,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(42), "42"),
        (Fraction(-7), "-7"),
        (Fraction(7, 2), "3.5"),
        (Fraction(-1, 4), "-0.25"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-22, 7), "-22/7"),
        (Fraction(1, 10**7), "1/10000000"),
    ],
)
def test_numbers_are_readable(value: Fraction, text: str) -> None:
    assert format_number(value) == text


@given(st.fractions(max_denominator=10**6))
def test_numbers_are_read_back(value: Fraction) -> None:
    assert parse_number(format_number(value)) == value


@given(st.fractions(max_denominator=50), st.sampled_from(Operator), st.fractions(max_denominator=50), st.fractions())
def test_equations_are_read_back_from_sentences(a: Fraction, op: Operator, b: Fraction, c: Fraction) -> None:
    equation = Calculation(a, op, b, c)
    assert equation_in(f"So we see that {equation}.") == equation


@pytest.mark.parametrize("text", ["", "no", "1 + 2", "3 = 3", "1 + 2 = x", "4 + 4/0 = 4", "x1+2=3"])
def test_texts_without_a_calculation(text: str) -> None:
    assert equation_in(text) is None


def test_the_last_calculation_counts() -> None:
    assert str(equation_in("1 + 2 = 3, then 3 + 4 = 8.")) == "3 + 4 = 8"


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [(1, Operator.OVER, 0), (0, Operator.POWER, -1), (9, Operator.POWER, 999_999), (2, Operator.POWER, Fraction(1, 2))],
)
def test_what_cannot_be_computed_is_none(left: int, operator: Operator, right: Fraction) -> None:
    assert compute(operator, Fraction(left), Fraction(right)) is None


def test_a_number_too_long_for_python_is_no_number() -> None:
    assert parse_number("1" * 5000) is None
    assert equation_in(f"{'1' * 5000} + 1 = {'1' * 5000}") is None
