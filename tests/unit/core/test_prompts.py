from __future__ import annotations

from dataclasses import replace

from ssr.core.prompts import QUALITY_QUESTION, SOLVING_REQUEST, judging, selecting, solving
from ssr.core.seeds import call_seed
from ssr.core.types import NO_STRATEGY, CallKind, PathContext, Strategy, WorkedExample

BACKWARDS = Strategy("C", "Work backwards", "Start from the end.")
CONTEXT = PathContext("job", 0, " What is 1+1? ", BACKWARDS, ("First step.",), 7)


def test_solving_shows_the_problem_and_the_hint() -> None:
    user = solving(" What is 1+1? ", BACKWARDS)[-1].content
    assert user == f"Problem:\nWhat is 1+1?\n\nApproach: Start from the end.\n\n{SOLVING_REQUEST}"
    assert "Approach" not in solving("x", NO_STRATEGY)[-1].content


def test_worked_examples_are_earlier_turns_that_ask_as_the_last_one_does() -> None:
    strategy = replace(
        BACKWARDS, examples=(WorkedExample("2+2?", "So \\boxed{4}."), WorkedExample("3+3?", "\\boxed{6}"))
    )
    turns = solving("What is 1+1?", strategy)
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert (turns[2].content, turns[4].content) == ("So \\boxed{4}.", "\\boxed{6}")
    assert turns[3].content == solving("3+3?", BACKWARDS)[-1].content
    assert (turns[0], turns[-1]) == solving("What is 1+1?", BACKWARDS)
    judged, question = (judging(replace(CONTEXT, strategy=s), "x", QUALITY_QUESTION, "") for s in (strategy, BACKWARDS))
    assert judged == question, "a judge sees the work alone"


def test_a_judging_prompt_grows_at_its_end_only() -> None:
    now = judging(CONTEXT, "Second step.", QUALITY_QUESTION, "").messages[-1].content
    later = judging(replace(CONTEXT, steps=("First step.", "Second step.")), "Third.", QUALITY_QUESTION, "")
    assert later.messages[-1].content.startswith(now.removesuffix(QUALITY_QUESTION))


def test_contents_have_no_white_space_at_their_ends() -> None:
    questions = (judging(CONTEXT, "x", QUALITY_QUESTION, ""), selecting(" p ", [BACKWARDS, NO_STRATEGY]))
    for message in (*solving(" p ", NO_STRATEGY), *(m for q in questions for m in q.messages)):
        assert message.content == message.content.strip()


def test_an_opened_thought_is_closed_before_a_question() -> None:
    question = judging(CONTEXT, "x", QUALITY_QUESTION, "Digit: ")
    assert question.prompt("<a>") == "<a>Digit: "
    assert question.prompt("<a><think>\n") == "<a><think>\n\n</think>\n\nDigit: "


def test_seeds_differ_by_place_and_kind_and_repeat() -> None:
    seeds = {call_seed(1, path, step, kind) for path in range(4) for step in range(8) for kind in CallKind}
    assert len(seeds) == 4 * 8 * len(CallKind)
    assert call_seed(1, 2, 3, CallKind.DRAFT) == call_seed(1, 2, 3, CallKind.DRAFT) < 2**31
    assert call_seed(1, 0, 0, CallKind.DRAFT) != call_seed(2, 0, 0, CallKind.DRAFT)
