"""What is known of answers that ran into limits."""

from __future__ import annotations

import pytest

from ssr.orchestrator.equivalence.suspicion import Suspicion


def test_nothing_is_known_of_an_answer_that_looks_ordinary() -> None:
    assert Suspicion().levels(r"\int_0^1 x^2\,dx", r"\frac{1}{3}") == 0


@pytest.mark.parametrize("answer", ["9^{9^{9}}", "123456!", "7^{12345}", "3!!", "10^9^9"])
def test_towers_look_costly(answer: str) -> None:
    assert Suspicion().levels(answer, "7") == 1


def test_a_shape_that_ran_into_a_limit_comes_later_until_it_is_computed() -> None:
    suspicion = Suspicion()
    suspicion.ended(r"\int_0^1 f(x^{7}) dx")
    again = suspicion.levels(r"\int_0^{22} f(t^{99}) dt", "5")
    assert again > 0
    suspicion.ended(r"\int_0^1 f(x^{8}) dx")
    assert suspicion.levels(r"\int_0^{22} f(t^{99}) dt", "5") > again
    assert suspicion.levels(r"\int_0^{22} g(t)+1 dt", "5") == 0
    suspicion.answered(r"\int_0^{3} f(u^{4}) du", "5")
    assert suspicion.levels(r"\int_0^{22} f(t^{99}) dt", "5") == 0


def test_a_number_is_never_the_cause() -> None:
    suspicion = Suspicion()
    suspicion.ended(r"\unread{1}", "123")
    assert suspicion.levels("77", "x") == 0


def test_an_answer_that_was_given_up_is_known_by_its_text() -> None:
    suspicion = Suspicion()
    suspicion.give_up(r"\int f")
    assert suspicion.is_hopeless(r"\int f")
    assert not suspicion.is_hopeless(r"\int g")
