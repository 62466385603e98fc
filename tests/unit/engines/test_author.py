from __future__ import annotations

from dataclasses import replace

import pytest
from engine_fakes import FakeEngine

from ssr.core.errors import ContextFull
from ssr.core.prompts import SOLVING_REQUEST
from ssr.core.types import Call, CallKind, Options, PathContext, Source, Strategy
from ssr.engines.author import Author
from ssr.engines.base import Finish, Generation

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


async def test_seeds_belong_to_the_place_in_the_job() -> None:
    engine = FakeEngine(["a"] * 4)
    write = author(engine).write
    for context in (CONTEXT, CONTEXT, replace(CONTEXT, steps=()), replace(CONTEXT, path=3)):
        await write(context, OPTIONS)
    seeds = [sampling.seed for sampling in engine.samplings]
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) == 3


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
