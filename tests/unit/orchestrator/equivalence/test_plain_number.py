"""Exact values of plain numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.orchestrator.equivalence.plain_number import exact


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", Fraction(12)),
        ("+12", Fraction(12)),
        ("-0.5", Fraction(-1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("-3/4", Fraction(-3, 4)),
        ("1.5/3", Fraction(1, 2)),
        ("1 1/2", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"-\frac{3}{-4}", Fraction(3, 4)),
        (r"\frac34", Fraction(3, 4)),
        (r"\frac 34", Fraction(3, 4)),
        (r"2\frac{1}{2}", Fraction(5, 2)),
        (r"-2\frac12", Fraction(-5, 2)),
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"-0.1\overline{6}", Fraction(-1, 6)),
        (r".\overline{142857}", Fraction(1, 7)),
        (r"1.\overline{9}", Fraction(2)),
        ("1/0", None),
        (r"\frac{1}{0}", None),
        ("", None),
        ("x", None),
        ("1e3", None),
        ("1 2", None),
        (r"\frac345", None),
        (r"\frac{x}{2}", None),
    ],
)
def test_value(text: str, value: Fraction | None) -> None:
    assert exact(text) == value


@given(st.fractions())
def test_every_fraction_is_read_back(value: Fraction) -> None:
    assert exact(str(value)) == value
    sign = "-" if value < 0 else ""
    assert exact(rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}") == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_every_decimal_is_read_back(value: object) -> None:
    assert exact(f"{value:f}") == Fraction(str(value))
