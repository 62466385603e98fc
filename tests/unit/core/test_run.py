from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.core.run import PathEnded, Run, Selected, StepCommitted, path_end
from ssr.core.steps import CutText
from ssr.core.types import NO_STRATEGY, Call, CallKind, Options, PathStatus, Source, Step

OPTIONS = Options(max_path_tokens=100)


def step(index: int, text: str, *, tokens: int = 10, score: float | None = 8.0, ends_turn: bool = False) -> Step:
    return Step(index, text, Source.DRAFT, tokens, score, ends_turn)


def run_with(*texts: str, tokens: int = 10, ends_turn: bool = False) -> Run:
    run = Run().apply(Selected((NO_STRATEGY,)))
    for index, text in enumerate(texts):
        last = index == len(texts) - 1
        run = run.apply(StepCommitted(0, step(index, text, tokens=tokens, ends_turn=ends_turn and last)))
    return run


def ending(run: Run) -> PathStatus | None:
    end = path_end(run.paths[0], OPTIONS)
    return end.status if end else None


def test_a_path_without_steps_goes_on() -> None:
    assert ending(run_with()) is None


def test_a_plain_step_goes_on() -> None:
    assert ending(run_with("We add the two numbers.")) is None


def test_a_boxed_answer_ends_the_path() -> None:
    end = path_end(run_with("So it is \\boxed{42}.").paths[0], OPTIONS)
    assert end == PathEnded(0, PathStatus.ANSWERED, "42")


def test_a_boxed_answer_wins_over_everything_else() -> None:
    assert ending(run_with("So \\boxed{42}.", "So \\boxed{42}.", tokens=60, ends_turn=True)) is PathStatus.ANSWERED


def test_the_end_of_the_turn_without_a_box() -> None:
    assert ending(run_with("The answer is 42.", ends_turn=True)) is PathStatus.NO_ANSWER


def test_empty_and_repeated_steps_stall() -> None:
    assert ending(run_with("")) is PathStatus.STALLED
    assert ending(run_with("We add the two numbers.", "Then more.", "We add the  two numbers.")) is PathStatus.STALLED


def test_a_spent_budget_ends_the_path() -> None:
    assert ending(run_with("one thing to see", "another thing to see", tokens=50)) is PathStatus.EXHAUSTED
    assert ending(run_with("one thing to see", "another thing to see", tokens=49)) is None


def test_a_gap_or_a_double_is_refused() -> None:
    run = run_with("first")
    with pytest.raises(ValueError, match="1 steps"):
        run.apply(StepCommitted(0, step(2, "third")))
    with pytest.raises(ValueError, match="1 steps"):
        run.apply(StepCommitted(0, step(0, "first")))


def test_an_ended_path_takes_no_step() -> None:
    run = run_with("first").apply(PathEnded(0, PathStatus.STOPPED))
    with pytest.raises(ValueError, match="stopped"):
        run.apply(StepCommitted(0, step(1, "second")))


def test_mean_score_leaves_unscored_steps_out() -> None:
    run = Run().apply(Selected((NO_STRATEGY,)))
    for index, score in enumerate([8.0, None, 9.0]):
        run = run.apply(StepCommitted(0, step(index, f"s{index}", score=score)))
    assert run.paths[0].mean_score == 8.5
    assert run_with().paths[0].mean_score is None


def test_a_paths_text_goes_on_at_a_cut_and_leaves_thinking_out() -> None:
    run = run_with("<think>\nHm.", "No.\n</think>", "They hold 12", "40 apples.", "<think>\nOr 7?\n</think>", "Yes.")
    steps = [replace(one, text=CutText(one.text)) if one.text.endswith("12") else one for one in run.paths[0].steps]
    assert replace(run.paths[0], steps=tuple(steps)).text.split() == ["They", "hold", "1240", "apples.", "Yes."]


def test_only_answered_paths_vote() -> None:
    run = Run().apply(Selected((NO_STRATEGY,) * 3))
    run = run.apply(PathEnded(0, PathStatus.FAILED, reason="engine"))
    run = run.apply(PathEnded(2, PathStatus.ANSWERED, "42"))
    assert [(b.path, b.answer) for b in run.ballots] == [(2, "42")]
    assert run.running == 1


def test_steps_are_counted_over_all_paths() -> None:
    run = Run().apply(Selected((NO_STRATEGY,) * 2))
    assert run.committed_steps == 0
    for path, index in ((0, 0), (1, 0), (0, 1)):
        run = run.apply(StepCommitted(path, step(index, f"s{index}")))
    assert run.committed_steps == 3


def test_the_ledger_follows_the_decisions() -> None:
    cost = Call(CallKind.DRAFT, "d", 1, 5, 0, 10)
    run = Run().apply(Selected((NO_STRATEGY,))).apply(StepCommitted(0, step(0, "a"), (cost,)))
    assert run.ledger.drafted_tokens == 10
    assert run.ledger.accepted_tokens == 10
