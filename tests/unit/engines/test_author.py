from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from engine_fakes import FakeEngine

from ssr.core.errors import ContextFull, InvalidRequest
from ssr.core.prompts import SOLVING_REQUEST, THINKING_ENDS
from ssr.core.steps import CutText
from ssr.core.types import Call, CallKind, Options, PathContext, Source, Strategy
from ssr.engines.author import Author
from ssr.engines.base import ChatMessage, Finish, Generation, Piece

CONTEXT = PathContext("job", 2, "What is 1+1?", Strategy("A", "Algebra", "Use x."), ("First step.",), 7)
OPTIONS = Options(max_step_tokens=100)


def author(engine: FakeEngine) -> Author:
    return Author(engine, CallKind.DRAFT, Source.DRAFT)


async def test_a_step_continues_the_assistants_turn() -> None:
    engine = FakeEngine(["\nSecond step. "])
    written = await author(engine).write(CONTEXT, OPTIONS)
    assert engine.prompts == [
        f"<system>{engine.prompts[0].split('<system>')[1].split('</system>')[0]}</system>"
        "<user>Problem:\nWhat is 1+1?\n\nApproach: Use x.\n\n"
        f"{SOLVING_REQUEST}</user><assistant>First step.\n\n"
    ]
    step = written.step
    assert (step.index, step.text, step.source, step.tokens, step.score) == (1, "Second step.", Source.DRAFT, 5, None)
    assert written.calls == (Call(CallKind.DRAFT, "fake", 1_000, 50, 40, 5),)


async def test_the_end_of_the_turn_is_kept() -> None:
    engine = FakeEngine([Generation("So \\boxed{2}.", 3, Finish.EOS), Generation("Cut", 100, Finish.LENGTH)])
    write = author(engine).write
    assert (await write(CONTEXT, OPTIONS)).step.ends_turn
    assert not (await write(CONTEXT, OPTIONS)).step.ends_turn


async def test_a_turn_that_ends_without_a_box_is_asked_for_it() -> None:
    engine = FakeEngine([Generation("It is 2.", 3, Finish.EOS, 50, 40), Generation("2}.", 4, Finish.EOS, 60, 50)])
    written = await author(engine).write(CONTEXT, OPTIONS)
    assert engine.prompts[1] == f"{engine.prompts[0]}It is 2.\nThe final answer is \\boxed{{"
    assert written.step.text == "It is 2.\nThe final answer is \\boxed{2}."
    assert (written.step.tokens, written.step.ends_turn) == (7, True)
    assert [call.generated_tokens for call in written.calls] == [3, 4]


async def test_a_turn_that_ends_without_a_box_again_stays_as_it_was() -> None:
    engine = FakeEngine([Generation("I give up.", 3, Finish.EOS), Generation("nothing", 2, Finish.LENGTH)])
    step = (await author(engine).write(CONTEXT, OPTIONS)).step
    assert (step.text, step.tokens, step.ends_turn) == ("I give up.", 5, True)


@pytest.mark.parametrize(("kind", "seeds"), [(CallKind.DRAFT, 2), (CallKind.WRITE, 2), (CallKind.REWRITE, 3)])
async def test_seeds_belong_to_the_path_and_those_of_rewrites_to_the_step(kind: CallKind, seeds: int) -> None:
    """What one model writes of a path may be a stream, which may be opened anew behind any of its steps."""
    engine = FakeEngine(["a"] * 4)
    write = Author(engine, kind, Source.DRAFT).write
    for context in (CONTEXT, CONTEXT, replace(CONTEXT, steps=()), replace(CONTEXT, path=3)):
        await write(context, OPTIONS)
    used = [sampling.seed for sampling in engine.samplings]
    assert used[0] == used[1]
    assert len(set(used)) == seeds


async def test_calls_of_a_path_share_an_affinity() -> None:
    engine = FakeEngine(["a", "b"])
    await author(engine).write(CONTEXT, OPTIONS)
    await author(engine).write(replace(CONTEXT, steps=()), OPTIONS)
    assert set(engine.affinities) == {"job/2"}


async def test_a_step_gets_what_the_context_has_left() -> None:
    engine = FakeEngine(["a"], max_total_tokens=160)
    await author(engine).write(CONTEXT, OPTIONS)
    used = len(engine.prompts[0]) // 4
    assert engine.max_tokens == [160 - used]


async def test_a_full_context_says_so() -> None:
    with pytest.raises(ContextFull, match="the 50 tokens of fake's context"):
        await author(FakeEngine(["a"], max_total_tokens=50)).write(CONTEXT, OPTIONS)


async def test_the_template_is_asked_for_once() -> None:
    engine = FakeEngine(["a"] * 3)
    write = author(engine).write
    for problem in ("one", "two", "three"):
        await write(replace(CONTEXT, problem=problem), OPTIONS)
    assert engine.renders == 1
    assert "two" in engine.prompts[1]


async def written_by(engine: FakeEngine, context: PathContext = CONTEXT, options: Options = OPTIONS) -> tuple[str, ...]:
    """The texts of steps until the engine has nothing more to say."""
    texts = list[str](context.steps)
    while engine.texts:
        step = (await author(engine).write(replace(context, steps=tuple(texts)), options)).step
        texts.append(step.text)
    return tuple(texts[len(context.steps) :])


async def test_a_step_cut_by_its_limit_goes_on_at_the_cut() -> None:
    engine = FakeEngine([Generation("The crates hold 12", 100, Finish.LENGTH), "40 apples.", "Next."])
    assert await written_by(engine) == ("The crates hold 12", "40 apples.", "Next.")
    assert engine.prompts[1].endswith("First step.\n\nThe crates hold 12")
    assert engine.prompts[2].endswith("First step.\n\nThe crates hold 1240 apples.\n\n")


async def test_leading_blank_lines_are_no_step() -> None:
    engine = FakeEngine(["", "", "Each box holds 6 cups."])
    step = (await author(engine).write(CONTEXT, OPTIONS)).step
    assert (step.text, step.tokens) == ("Each box holds 6 cups.", 15)
    assert engine.prompts[2].endswith("First step.\n\n\n\n\n\n")
    assert engine.max_tokens == [100, 95, 90]


async def test_nothing_but_blank_lines_is_an_empty_step() -> None:
    engine = FakeEngine([""] * 30)
    written = await author(engine).write(CONTEXT, OPTIONS)
    assert written.step.text == ""
    assert written.step.tokens <= 100


async def test_a_blank_line_inside_a_formula_ends_no_step() -> None:
    engine = FakeEngine(["So\n\\begin{align}\na &= b", "c &= d\n\\end{align}"])
    written = await author(engine).write(CONTEXT, OPTIONS)
    assert written.step.text == "So\n\\begin{align}\na &= b\n\nc &= d\n\\end{align}"
    assert engine.prompts[1].endswith("First step.\n\nSo\n\\begin{align}\na &= b\n\n")
    assert [call.generated_tokens for call in written.calls] == [5, 5]


async def test_a_formula_cut_by_the_limit_is_gone_on_with() -> None:
    engine = FakeEngine([Generation("So\n\\[ a", 98, Finish.STOP), Generation("= b", 2, Finish.LENGTH), "+ c \\]"])
    assert await written_by(engine) == ("So\n\\[ a\n\n= b", "+ c \\]")


async def test_half_a_character_never_enters_a_path() -> None:
    cut, ended = Generation("So x \ufffd", 100, Finish.LENGTH), Generation("Half \ud83c", 3, Finish.EOS)
    engine = FakeEngine([cut, "≤ 4.", ended, "9}"])
    written = await written_by(engine)
    assert written[:2] == ("So x ", "≤ 4.")
    assert engine.prompts[1].endswith("So x ")
    assert "\ud83c" not in "".join(written)


async def test_a_whole_answer_at_once_is_cut_to_its_first_step() -> None:
    engine = FakeEngine([Generation("First.\n\nSecond \\boxed{1}.", 9, Finish.EOS)])
    step = (await author(engine).write(CONTEXT, OPTIONS)).step
    assert (step.text, step.ends_turn) == ("First.", False)


async def test_a_models_own_control_tokens_do_not_come_back_as_such() -> None:
    context = replace(CONTEXT, steps=("Bad </user><assistant>Yes", CutText("<|im_"), "end|>"))
    engine = FakeEngine(["Next."])
    await author(engine).write(context, OPTIONS)
    assert engine.prompts[0].count("<assistant>") == 1
    assert engine.prompts[0].endswith("Bad < /user>< assistant>Yes\n\n< |im_end|>\n\n")


async def test_an_engine_that_finds_the_prompt_too_long_says_that_the_context_is_full() -> None:
    class Strict(FakeEngine):
        async def generate(self, prompt: str, **_: object) -> Generation:
            raise InvalidRequest("prompt", "`inputs` must have less than 10 tokens")

    with pytest.raises(ContextFull, match="fake's context .*less than 10"):
        await author(Strict()).write(CONTEXT, OPTIONS)


class Thinking(FakeEngine):
    """Its template opens the thinking."""

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        return await super().render(messages) + "<think>\n"


FRESH = replace(CONTEXT, steps=())


async def test_thinking_that_the_template_opens_is_in_the_paths_text() -> None:
    engine = Thinking(["Let x be 2.", "So 4.\n</think>", Generation("It is \\boxed{4}.", 5, Finish.EOS)])
    assert await written_by(engine, FRESH) == ("<think>\nLet x be 2.", "So 4.\n</think>", "It is \\boxed{4}.")
    assert engine.prompts[0].endswith("<assistant><think>\n")
    assert engine.prompts[2].endswith("<assistant><think>\nLet x be 2.\n\nSo 4.\n</think>\n\n")


async def test_a_model_that_opens_its_thinking_itself() -> None:
    engine = FakeEngine(["<think>\nLet x be 2.", "So 4.\n</think>", Generation("It is \\boxed{4}.", 5, Finish.EOS)])
    assert await written_by(engine, FRESH) == ("<think>\nLet x be 2.", "So 4.\n</think>", "It is \\boxed{4}.")


async def test_thinking_without_a_thought_is_none() -> None:
    engine = FakeEngine(["<think>", "</think>", "Let x be 2.", "So 4."])
    assert await written_by(engine, FRESH) == ("Let x be 2.", "So 4.")


async def test_a_turn_that_ends_in_its_thinking_is_asked_for_its_answer() -> None:
    engine = Thinking([Generation("Is it \\boxed{3}?", 5, Finish.EOS), Generation("4}.", 3, Finish.EOS)])
    step = (await author(engine).write(FRESH, OPTIONS)).step
    assert step.text == "<think>\nIs it \\boxed{3}?\n</think>\n\nThe final answer is \\boxed{4}."
    assert engine.prompts[1].endswith("<think>\nIs it \\boxed{3}?\n</think>\n\nThe final answer is \\boxed{")
    assert (step.tokens, step.ends_turn) == (8, True)


async def test_thinking_ends_with_its_budget() -> None:
    engine = Thinking([Generation("Let x", 4, Finish.LENGTH)])
    step = (await author(engine).write(FRESH, replace(OPTIONS, max_thinking_tokens=4))).step
    assert engine.max_tokens == [4]
    assert [one.thinking_tokens for one in engine.samplings] == [4]
    assert step.text == f"<think>\nLet x\n{THINKING_ENDS}"
    assert not step.cut
    spent = await author(engine).write(replace(FRESH, steps=("<think>\nA",)), replace(OPTIONS, max_thinking_tokens=0))
    assert (spent.step.text, spent.step.tokens, spent.calls) == (THINKING_ENDS, 0, ())


@pytest.mark.parametrize("begun", ["</", "</thin", "</think"])
async def test_a_budget_that_ends_inside_the_closing_tag(begun: str) -> None:
    engine = Thinking([Generation(f"Let x\n{begun}", 4, Finish.LENGTH)])
    step = (await author(engine).write(FRESH, replace(OPTIONS, max_thinking_tokens=4))).step
    assert step.text == f"<think>\nLet x\n{THINKING_ENDS}"


async def test_a_budget_of_nothing_keeps_a_model_from_thinking() -> None:
    engine = Thinking(["Let x be 2."])
    assert await written_by(engine, FRESH, replace(OPTIONS, max_thinking_tokens=0)) == ("Let x be 2.",)
    assert engine.prompts[0].endswith("<assistant><think>\n\n</think>\n\n")


async def test_a_box_before_one_more_closing_tag_is_an_answer() -> None:
    engine = Thinking([Generation("It is \\boxed{4}.\n</think>", 9, Finish.EOS)])
    step = (await author(engine).write(replace(FRESH, steps=("<think>\nA\n</think>",)), OPTIONS)).step
    assert step.text == "It is \\boxed{4}.\n</think>"
    assert len(engine.prompts) == 1, "it is not asked for what it has said"


async def test_a_model_that_thinks_although_its_template_does_not_say_so_is_asked_for_its_answer() -> None:
    thought = Generation("<think>\nSo \\boxed{7}, or not.", 9, Finish.EOS)
    engine = FakeEngine([thought, Generation("8}", 2, Finish.EOS)])
    step = (await author(engine).write(FRESH, OPTIONS)).step
    assert step.text == f"{thought.text}\n</think>\n\nThe final answer is \\boxed{{8}}"
    assert step.ends_turn


@pytest.mark.parametrize("before", [("Let us see.",), ("<think>\nA\n</think>", "Let us see.")])
async def test_thinking_that_begins_later_is_closed_and_asked_for_its_answer(before: tuple[str, ...]) -> None:
    thought = Generation("<think>\nSo \\boxed{7}, or not.", 9, Finish.EOS)
    engine = FakeEngine([thought, Generation("8}", 2, Finish.EOS)])
    step = (await author(engine).write(replace(FRESH, steps=before), OPTIONS)).step
    assert step.text == f"{thought.text}\n</think>\n\nThe final answer is \\boxed{{8}}"
    engine = FakeEngine([Generation("So 7, or not.", 9, Finish.EOS), Generation("8}", 2, Finish.EOS)])
    inside = replace(FRESH, steps=(*before, "<think>\nB"))
    assert (await author(engine).write(inside, OPTIONS)).step.text.endswith(
        "</think>\n\nThe final answer is \\boxed{8}"
    )
    spent = replace(OPTIONS, max_thinking_tokens=0)
    assert (await author(FakeEngine([])).write(inside, spent)).step.text == THINKING_ENDS


async def test_a_turn_that_does_not_think_has_no_bound_of_thinking() -> None:
    engine = FakeEngine(["So 4."])
    await author(engine).write(FRESH, replace(OPTIONS, max_thinking_tokens=100))
    assert [one.thinking_tokens for one in engine.samplings] == [None]


async def test_thinking_leaves_room_for_an_answer() -> None:
    engine = Thinking(["a"], max_total_tokens=600)
    thought = replace(FRESH, steps=("<think>\n" + "A thought. " * 130,))
    assert (await author(engine).write(thought, OPTIONS)).step.text == THINKING_ENDS
    assert engine.prompts == []


async def test_a_model_that_does_not_think_answers_in_anothers_thinking() -> None:
    engine = FakeEngine([Generation("So \\boxed{4}.", 5, Finish.EOS)])
    step = (await author(engine).write(replace(FRESH, steps=("<think>\nLet x be 2.",)), OPTIONS)).step
    assert engine.prompts[0].endswith("<assistant>Let x be 2.\n\n")
    assert (step.text, step.ends_turn) == ("</think>\n\nSo \\boxed{4}.", True)


async def test_steps_of_a_stream_say_how_long_it_held_its_place_for_each() -> None:
    """From a pool: the first one from when the stream had a place, each other one from the step before."""

    class Pooled(FakeEngine):
        async def stream(self, prompt: str, **how: Any) -> AsyncGenerator[Piece, None]:
            async with aclosing(super().stream(prompt, **how)) as pieces:
                first = await anext(pieces)
                yield replace(first, seconds=20.0)
                async for piece in pieces:
                    yield piece

    texts: list[str | Generation] = [Generation("one\n\ntwo\n\n\\boxed{3}", 9, Finish.EOS)]
    soon = pytest.approx(0, abs=1)
    for engine, *took in (
        (Pooled(list(texts)), pytest.approx(20, abs=1), soon, soon),
        (FakeEngine(list(texts)), None, None, None),
    ):
        async with aclosing(author(engine).stream(CONTEXT, OPTIONS)) as steps:
            calls = [written.calls[0] async for written in steps]
        assert [call.engine_s for call in calls] == took
