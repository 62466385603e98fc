from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.core.prompts import (
    QUALITY_QUESTION,
    VALIDITY_QUESTION,
    YES_NO_QUESTION,
    judging,
    selecting,
    selecting_codes,
    solving,
)
from ssr.core.steps import join_path
from ssr.core.types import NO_STRATEGY, PathContext, Strategy, WorkedExample
from ssr.engine_server.simulated.reader import Approach, Judging, Scale, Selecting, Solving, read
from ssr.engine_server.simulated.template import render

ALGEBRA = Strategy("A", "Algebra", "Set up equations. Then solve them.")
WORKED = replace(ALGEBRA, examples=(WorkedExample("Bo has 2 pens and 3 more. How many?", "2 + 3 = \\boxed{5}."),))
UNKNOWN = Strategy("M", "unknown", "")
PROBLEM = "Ann has 48 pens.\n\nShe loses 3. How many are left?"
STEPS = ("First, 48 - 3 = 45.", "So 45 + 1 = 46.")


@pytest.mark.parametrize("strategy", [ALGEBRA, WORKED, NO_STRATEGY])
@pytest.mark.parametrize("steps", [(), STEPS])
def test_a_path_to_go_on_with(strategy: Strategy, steps: tuple[str, ...]) -> None:
    reading = read(render(solving(PROBLEM, strategy)) + join_path(steps))
    assert reading.task == Solving(PROBLEM, strategy.hint, steps)
    assert reading.lead == ""


@pytest.mark.parametrize("strategy", [ALGEBRA, NO_STRATEGY])
@pytest.mark.parametrize(
    ("question", "scale"),
    [(QUALITY_QUESTION, Scale.DIGIT), (VALIDITY_QUESTION, Scale.DIGIT), (YES_NO_QUESTION, Scale.YES_NO)],
)
@pytest.mark.parametrize("steps", [(), STEPS])
def test_a_step_to_judge(strategy: Strategy, question: str, scale: Scale, steps: tuple[str, ...]) -> None:
    asked = judging(PathContext("job", 0, PROBLEM, strategy, steps, 0), "So 46 + 1 = 47.", question, "Score:")
    reading = read(asked.prompt(render(asked.messages)))
    assert reading.task == Judging(Solving(PROBLEM, strategy.hint, steps), "So 46 + 1 = 47.", scale)
    assert reading.lead == " "


def test_an_empty_step_to_judge() -> None:
    asked = judging(PathContext("job", 0, PROBLEM, ALGEBRA, STEPS, 0), "", QUALITY_QUESTION, "")
    task = read(asked.prompt(render(asked.messages))).task
    assert task == Judging(Solving(PROBLEM, ALGEBRA.hint, STEPS), "", Scale.DIGIT)


def test_approaches_to_choose_from() -> None:
    asked = selecting(PROBLEM, (ALGEBRA, UNKNOWN))
    task = read(asked.prompt(render(asked.messages))).task
    assert task == Selecting(PROBLEM, (Approach("A", ALGEBRA.hint), Approach("M", "")))


def test_codes_to_choose() -> None:
    asked = selecting_codes(PROBLEM, (ALGEBRA, UNKNOWN), 3, UNKNOWN)
    task = read(asked.prompt(render(asked.messages))).task
    assert task == Selecting(PROBLEM, (Approach("A", ALGEBRA.hint), Approach("M", "")))


def test_a_step_that_was_cut_off_is_finished_first_unless_it_says_something() -> None:
    head = render(solving(PROBLEM, NO_STRATEGY))
    assert read(f"{head}First, 48 - 3 = 45.\n\nNow let").task == Solving(PROBLEM, "", ("First, 48 - 3 = 45.",))
    assert read(f"{head}First, 48 - 3 = 45").task == Solving(PROBLEM, "", ("First, 48 - 3 = 45",))
    assert read(f"{head}Now let").lead == " "


def test_any_other_text_is_a_problem() -> None:
    assert read("What is 2+2?").task == Solving("What is 2+2?")
