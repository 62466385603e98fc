"""Curves that make probabilities of scores, and the file that has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.agreement import agreement_score
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Calibration, ScoreEntry, calibration_text, parse_calibration
from ssr.core.evidence.curve import Isotonic, Logistic

STEEP = Isotonic(((2.0, 0.1), (4.0, 0.5), (9.0, 0.6)))


@pytest.mark.parametrize(
    ("score", "chance"), [(0.0, 0.1), (2.0, 0.1), (3.0, 0.3), (4.0, 0.5), (6.5, 0.55), (9.0, 0.6), (99.0, 0.6)]
)
def test_between_knots_are_straight_lines_and_beyond_them_it_is_level(score: float, chance: float) -> None:
    assert STEEP.chance(score) == pytest.approx(chance)


def test_a_logistic_curve() -> None:
    assert Logistic(-2.0, 0.5).chance(4.0) == pytest.approx(0.5)
    assert 0.0 <= Logistic(-1e9, 0.0).chance(1.0) < 1e-9


@given(a=st.floats(0, 9), b=st.floats(0, 9))
def test_a_higher_score_is_never_less_probable(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for curve in (STEEP, Logistic(-2.0, 0.4)):
        assert 0 <= curve.chance(low) <= curve.chance(high) <= 1


@pytest.mark.parametrize("knots", [(), ((1.0, 0.5), (1.0, 0.6)), ((1.0, 0.5), (2.0, 0.4)), ((1.0, 1.5),)])
def test_what_does_not_rise_is_no_curve(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InvalidRequest, match="isotonic"):
        Isotonic(knots)


def test_a_falling_slope_is_no_curve() -> None:
    with pytest.raises(InvalidRequest, match="logistic"):
        Logistic(1.0, -0.1)


def test_agreement_is_scored_by_its_curve() -> None:
    siblings = ["2 * 3 = 6", "2 * 4 = 8"]
    assert agreement_score("2 * 3 = 6", [], siblings) == pytest.approx(9 * 0.62)
    assert agreement_score("2 * 3 = 6", [], siblings, Isotonic(((0.0, 0.0), (9.0, 1.0)))) == pytest.approx(4.5)


WHOLE = Calibration(
    scores=(
        ScoreEntry("judge", STEEP, "0.5B", "1.5B", "mathematics", "note"),
        ScoreEntry("judge", Logistic(-1.5, 0.25), domain="choice"),
        ScoreEntry("arithmetic+expected", Logistic(-1.0, 0.5)),
    )
)


def test_curves_are_written_and_read() -> None:
    assert parse_calibration(calibration_text(WHOLE)) == WHOLE
    assert calibration_text(parse_calibration("version: 1")) == "version: 1\npriors: []\n"


def test_a_curve_is_that_of_the_scorer_pair_and_domain() -> None:
    assert WHOLE.curve("judge", "small-0.5b", "large-1.5B") is STEEP
    assert WHOLE.curve("arithmetic+judge", target="large-1.5B") is STEEP
    assert WHOLE.curve("judge", target="other") is None
    assert WHOLE.curve("judge", "any", "any", "choice") == Logistic(-1.5, 0.25)
    assert WHOLE.curve("expected") is None
    assert WHOLE.curve("arithmetic+expected", domain="code") == Logistic(-1.0, 0.5)


def test_a_kind_of_curve_of_a_newer_writer_is_left_out() -> None:
    assert parse_calibration("version: 1\nscores: [{scorer: judge, spline: [1]}]").scores == ()


@pytest.mark.parametrize(
    "entry",
    ["{isotonic: [[1, 0.5]]}", "{scorer: judge, isotonic: 3}", "{scorer: judge, logistic: {slope: -1, intercept: 0}}"],
)
def test_what_is_wrong_is_named(entry: str) -> None:
    with pytest.raises(InvalidRequest, match=r"calibration.scores\[0\]"):
        parse_calibration(f"version: 1\nscores: [{entry}]")
