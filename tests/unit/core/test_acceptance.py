from __future__ import annotations

import math

import pytest

from ssr.core.acceptance import accepts, expected_digit, greedy_digit, yes_score


def candidates(**probabilities: float) -> list[tuple[str, float]]:
    return [(text.strip("_"), math.log(p)) for text, p in probabilities.items()]


def test_expected_digit_is_the_weighted_mean_of_the_digits_alone() -> None:
    assert expected_digit(candidates(_9=0.5, _5=0.25, The=0.25)) == pytest.approx((9 * 0.5 + 5 * 0.25) / 0.75)


def test_spellings_of_a_digit_add_up() -> None:
    assert expected_digit([("9", math.log(0.3)), (" 9", math.log(0.3)), ("0", math.log(0.4))]) == pytest.approx(5.4)


def test_greedy_digit_is_the_first_token() -> None:
    assert greedy_digit([(" 7", -0.1), ("9", -3.0)]) == 7
    assert greedy_digit([("Good", -0.1), ("9", -3.0)]) == 0


def test_yes_score_is_nine_times_the_share_of_yes() -> None:
    assert yes_score([("Yes", math.log(0.6)), (" yes", math.log(0.1)), ("No", math.log(0.1))]) == pytest.approx(7.875)


@pytest.mark.parametrize("read", [expected_digit, greedy_digit, yes_score])
@pytest.mark.parametrize("reply", [[], [("Well", -0.1)], [("12", -0.1)], [("²", -0.1)], [("", -0.1)]])
def test_a_reply_without_an_answer_is_a_rejection(read, reply) -> None:  # type: ignore[no-untyped-def]
    assert read(reply) == 0


def test_an_answer_in_the_noise_is_none() -> None:
    assert expected_digit([("The", math.log(0.99)), ("9", math.log(0.001))]) == 0
    assert yes_score([("The", math.log(0.99)), ("Yes", math.log(0.001))]) == 0


def test_the_threshold_itself_accepts() -> None:
    assert accepts(7.0, 7.0)
    assert not accepts(6.99, 7.0)
