from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.engine_server.simulated.expression import arithmetic_plan
from ssr.engine_server.simulated.script import plan_of, truth


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        ("What is 17 + 25?", "42"),
        ("Compute 3*(4+5).", "27"),
        ("12 divided by 4", "3"),
        ("What is 3 plus 4 times 5?", "23"),
        ("7/2", "3.5"),
        ("1/3 + 1/3", "2/3"),
        ("-5 + 3", "-2"),
        ("10 - -3", "13"),
        ("2^10 - 1", "1023"),
        ("2^3^2", "512"),
        ("-2^2", "-4"),
        ("-(2+3)*4", "-20"),
        ("2(3+4)", "14"),
        ("3 x 4", "12"),
        ("1,000 × 3 = ?", "3000"),
        (r"Evaluate $\frac{3}{4} \times 8$.", "6"),
        (r"\(6 \div 4\)", "1.5"),
        ("15% of 80", "12"),
        ("the sum of 3 and 4", "7"),
        ("What is the difference between 9 and 4?", "5"),
    ],
)
def test_arithmetic_is_evaluated(problem: str, answer: str) -> None:
    assert truth(problem) == answer


@pytest.mark.parametrize(
    "problem",
    [
        "Tom has 3-4 eggs and 5 friends.",
        "Solve 2x + 3 = 7.",
        "What is x - 3*4?",
        "What is f(2+3)?",
        "Divide 5/0.",
        "3 4 + 5",
        "9^9^9",
        "What is 17?",
        "no numbers at all",
        "",
        "(" * 50 + "1+1" + ")" * 50,
        "+".join("1" * 40),
    ],
)
def test_what_is_not_plain_arithmetic_is_a_word_problem(problem: str) -> None:
    assert arithmetic_plan(problem) is None
    plan = plan_of(problem)
    assert 3 <= len(plan.operations) <= 6


def test_a_word_problem_starts_from_its_numbers_in_order() -> None:
    first, second, *_ = plan_of("Ann has 48 pens, gets 24 and loses 3.").operations
    assert (first.left, first.right, second.right) == (Fraction(48), Fraction(24), Fraction(3))


def test_blanks_do_not_change_the_truth() -> None:
    assert truth("Ann has 48 pens\n and 3 cups.\n") == truth("Ann has 48 pens and 3 cups.")


def test_word_problems_have_whole_answers() -> None:
    assert all(truth(f"A box holds {n} pens and {n % 7 + 2} cups.").isdigit() for n in range(200))


@given(st.text())
def test_every_text_has_an_answer(problem: str) -> None:
    assert truth(problem)


@given(st.text(alphabet="0123456789+-*/^(). x,%\\frac{}", max_size=40))
def test_every_heap_of_symbols_has_an_answer(problem: str) -> None:
    assert truth(problem)


@given(st.integers(-999, 999), st.integers(0, 999), st.integers(0, 999))
def test_evaluation_agrees_with_python(a: int, b: int, c: int) -> None:
    assert truth(f"{a} + {b} * ({c} - {b})") == str(a + b * (c - b))
