from __future__ import annotations

import pytest

from ssr.core.answers import boxed
from ssr.core.steps import is_repeated
from ssr.engine_server.simulated.dice import Dice, suitability
from ssr.engine_server.simulated.quantity import equation_in
from ssr.engine_server.simulated.reader import Solving
from ssr.engine_server.simulated.script import plan_of, truth
from ssr.engine_server.simulated.settings import Quality
from ssr.engine_server.simulated.writer import error_rate, next_step

FLAWLESS = Quality(error_rate=0, blemish_rate=0)
HOPELESS = Quality(error_rate=1, blemish_rate=0, strategy_effect=0)
PROBLEM = "Ann has 48 pens, gets 24, loses 3 and shares them with 5 friends."
PROBLEMS = [f"Bag {n} has {n + 11} red and {n % 5 + 2} blue balls." for n in range(100)]


def whole_path(problem: str, quality: Quality, seed: int, hint: str = "") -> list[str]:
    steps: list[str] = []
    for _ in range(60):
        step = next_step(Solving(problem, hint, tuple(steps)), quality, Dice(problem, hint, *steps, seed))
        steps.append(step.text)
        if step.ends_turn:
            return steps
    raise AssertionError(f"no end: {steps}")


@pytest.mark.parametrize(
    "problem", [*PROBLEMS[:20], "What is 17 + 25?", "1*1*1*1*1*1*1*1", "0 + 0 + 0 + 0", "-7/3 - 1"]
)
def test_a_flawless_path_ends_with_the_truth(problem: str) -> None:
    steps = whole_path(problem, FLAWLESS, seed=1)
    assert boxed(steps[-1]) == truth(problem)
    assert len(steps) == len(plan_of(problem).operations) + 1
    assert not any(is_repeated(step, steps[:k]) for k, step in enumerate(steps))


def test_steps_hold_no_blank_line() -> None:
    quality = Quality(error_rate=0.5, blemish_rate=0.3)
    assert not any("\n\n" in step for p in PROBLEMS for step in whole_path(p, quality, seed=3, hint="Count."))


def test_a_wrong_result_is_built_upon() -> None:
    first = next_step(Solving(PROBLEM), HOPELESS, Dice(1)).text
    wrong = equation_in(first)
    assert wrong is not None
    assert wrong != plan_of(PROBLEM).operations[0].on(())
    second = equation_in(next_step(Solving(PROBLEM, "", (first,)), FLAWLESS, Dice(2)).text)
    assert second is not None
    assert second.left == wrong.result


def test_a_wrong_result_leads_to_a_wrong_answer() -> None:
    steps = [next_step(Solving("17 + 25 + 3"), HOPELESS, Dice(1)).text]
    while not (step := next_step(Solving("17 + 25 + 3", "", tuple(steps)), FLAWLESS, Dice(*steps))).ends_turn:
        steps.append(step.text)
    assert boxed(step.text) not in (None, "45")


@pytest.mark.parametrize("rate", [0.08, 0.35])
def test_the_error_rate_is_kept(rate: float) -> None:
    quality = Quality(error_rate=rate, blemish_rate=0)
    right = plan_of(PROBLEM).operations[0].on(())
    wrong = sum(equation_in(next_step(Solving(PROBLEM), quality, Dice(seed)).text) != right for seed in range(3000))
    assert wrong / 3000 == pytest.approx(rate, abs=0.03)


def test_mistakes_agree_often_but_not_always() -> None:
    results = [str(equation_in(next_step(Solving(PROBLEM), HOPELESS, Dice(seed)).text)) for seed in range(300)]
    commonest = max(map(results.count, set(results)))
    assert 0.4 < commonest / 300 < 0.8


def test_a_suitable_strategy_lowers_the_error_rate() -> None:
    hints = sorted((f"Use method {n}." for n in range(30)), key=lambda hint: suitability(PROBLEM, hint))
    rates = [error_rate(Solving(PROBLEM, hint), Quality(error_rate=0.3)) for hint in hints]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.2 < 0.4 < rates[0]
    assert error_rate(Solving(PROBLEM), Quality(error_rate=0.3)) == pytest.approx(0.3)


def test_blemishes_come_in_all_kinds_at_their_rate() -> None:
    quality = Quality(error_rate=0, blemish_rate=0.2)
    path = Solving(PROBLEM, "", ("First, 48 + 24 = 72.",))
    steps = [next_step(path, quality, Dice(seed)) for seed in range(2000)]
    empty = sum(not step.text for step in steps)
    repeated = sum(step.text == path.steps[-1] for step in steps)
    unanswered = sum(step.ends_turn for step in steps)
    rambling = sum(len(step.text) > 300 for step in steps)
    assert all(count == pytest.approx(100, abs=40) for count in (empty, repeated, unanswered, rambling))


def test_after_the_answer_there_is_nothing_to_say() -> None:
    step = next_step(Solving("1+1", "", ("1 + 1 = 2.", r"So \boxed{2}.")), HOPELESS, Dice(1))
    assert (step.text, step.ends_turn) == ("", True)


def test_a_wrong_path_survives_a_division_by_zero() -> None:
    steps = ("First, 4 - 3 = 0.",)
    step = next_step(Solving("5 / (4 - 3)", "", steps), FLAWLESS, Dice(1))
    assert equation_in(step.text) is not None
