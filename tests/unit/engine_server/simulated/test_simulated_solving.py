"""The whole idea in small: draft, judge and rewrite, with the prompts that SSR sends, over 200 problems."""

from __future__ import annotations

from collections import Counter
from functools import cache

from ssr.core.acceptance import expected_digit
from ssr.core.answers import boxed
from ssr.core.prompts import QUALITY_QUESTION, judging, solving
from ssr.core.seeds import call_seed
from ssr.core.steps import join_path
from ssr.core.types import CallKind, PathContext, Strategy
from ssr.engine_server.simulated.model import SimulatedModel
from ssr.engine_server.simulated.script import truth
from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.engine_server.simulated.template import render

PROBLEMS = [f"Tank {n} holds {n + 11} litres, {n % 5 + 2} pumps add to it and {n % 3 + 2} leak." for n in range(200)]
VOTED = PROBLEMS[:60]
DRAFT = SimulatedModel(SimulatedSettings.draft())
TARGET = SimulatedModel(SimulatedSettings.target())
THRESHOLD = 7
MAX_STEPS = 12


def write(model: SimulatedModel, context: PathContext, kind: CallKind) -> tuple[str, bool]:
    prompt = render(solving(context.problem, context.strategy)) + join_path(context.steps)
    text = ""
    for token, _ in model.reply(prompt, seed=call_seed(context.seed, context.path, len(context.steps), kind)):
        if token.special:
            return text, True
        if token.text == "\n\n":
            break
        text += token.text
    return text, False


def score(context: PathContext, step: str) -> float:
    asked = judging(context, step, QUALITY_QUESTION, "Score:")
    _, top = next(TARGET.reply(asked.prompt(render(asked.messages)), seed=None, top_n=10))
    return expected_digit([(token.text, token.logprob) for token in top])


def next_step(context: PathContext, who: str) -> tuple[str, bool]:
    if who == "target":
        return write(TARGET, context, CallKind.WRITE)
    step, ends = write(DRAFT, context, CallKind.DRAFT)
    if who == "draft" or score(context, step) >= THRESHOLD:
        return step, ends
    return write(TARGET, context, CallKind.REWRITE)


@cache
def answer(problem: str, who: str, path: int) -> str | None:
    strategy = Strategy("A", "Way", f"Use method {path}.") if path else Strategy("", "", "")
    steps: list[str] = []
    for _ in range(MAX_STEPS):
        step, ends = next_step(PathContext("job", path, problem, strategy, tuple(steps), 0), who)
        if not step:
            break
        steps.append(step)
        if ends:
            break
    return next((found for step in reversed(steps) if (found := boxed(step)) is not None), None)


def voted(problem: str, who: str) -> str | None:
    votes = Counter(found for path in range(1, 6) if (found := answer(problem, who, path)) is not None)
    return votes.most_common(1)[0][0] if votes else None


def accuracy(who: str) -> float:
    return sum(answer(problem, who, 0) == truth(problem) for problem in PROBLEMS) / len(PROBLEMS)


def voted_accuracy(who: str) -> float:
    return sum(voted(problem, who) == truth(problem) for problem in VOTED) / len(VOTED)


def test_the_draft_alone_is_poor_and_the_target_good() -> None:
    assert 0.05 < accuracy("draft") < 0.35
    assert 0.55 < accuracy("target") < 0.85


def test_verification_makes_the_draft_about_as_good_as_the_target() -> None:
    assert accuracy("draft") + 0.2 < accuracy("verified")
    assert accuracy("target") - 0.1 < accuracy("verified") < accuracy("target") + 0.25


def test_voting_helps() -> None:
    assert voted_accuracy("target") > accuracy("target") + 0.05
    assert voted_accuracy("verified") > accuracy("verified") + 0.03
