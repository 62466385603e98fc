from __future__ import annotations

import math
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.acceptance import expected_digit, yes_score
from ssr.core.answers import boxed
from ssr.core.prompts import (
    APPROACH_HEAD,
    APPROACHES_HEAD,
    PROBLEM_HEAD,
    QUALITY_QUESTION,
    SELECT_QUESTION,
    WORK_HEAD,
    YES_NO_QUESTION,
    judging,
    selecting,
    solving,
)
from ssr.core.types import NO_STRATEGY, PathContext, Strategy
from ssr.engine_server.server.backend import Token
from ssr.engine_server.simulated.model import SimulatedModel
from ssr.engine_server.simulated.script import truth
from ssr.engine_server.simulated.settings import Quality, SimulatedSettings
from ssr.engine_server.simulated.template import render
from ssr.engine_server.simulated.tokenizer import END, pieces

FLAWLESS = SimulatedSettings(quality=Quality(error_rate=0, blemish_rate=0, judge_noise=0, selection_noise=0))
PROBLEM = "What is 17 + 25?"
SOLVE = render(solving(PROBLEM, NO_STRATEGY))
POOL = tuple(Strategy(chr(65 + n), f"Way {n}", f"Use method {n}.") for n in range(12))


def written(prompt: str, settings: SimulatedSettings = FLAWLESS, seed: int | None = None) -> str:
    positions = SimulatedModel(settings).reply(prompt, seed=seed)
    return "".join(token.text for token, _ in positions if not token.special)


def question(step: str, text: str) -> str:
    asked = judging(PathContext("job", 0, PROBLEM, NO_STRATEGY, (), 0), step, text, "Score:")
    return asked.prompt(render(asked.messages))


def candidates(prompt: str, top_n: int = 10) -> tuple[Token, ...]:
    _, top = next(SimulatedModel(FLAWLESS).reply(prompt, seed=None, top_n=top_n))
    return top


def pairs(tokens: tuple[Token, ...]) -> list[tuple[str, float]]:
    return [(token.text, token.logprob) for token in tokens]


def test_a_whole_solution_in_one_go() -> None:
    assert boxed(written(SOLVE)) == "42"
    assert "17 + 25 = 42" in written(SOLVE)


def test_a_plain_question_is_answered_too() -> None:
    assert boxed(written("What is 6 * 7?")) == "42"


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_writing_in_steps_or_in_one_go_is_the_same(seed: int | None) -> None:
    settings = SimulatedSettings.draft()
    prompt = render(solving("Ann has 48 pens, gets 24 and loses 3.", POOL[0]))
    whole = written(prompt, settings, seed)
    cut = whole.index("\n\n") + 2
    assert written(prompt + whole[:cut], settings, seed) == whole[cut:]


def test_every_instance_writes_the_same() -> None:
    settings = SimulatedSettings.draft()
    assert [written(SOLVE, settings, s) for s in range(20)] == [written(SOLVE, settings, s) for s in range(20)]


def test_known_bytes() -> None:
    text = written(render(solving("Ann has 48 pens, gets 24 and loses 3.", POOL[0])), SimulatedSettings.draft(), 5)
    assert text == (
        "Start with what is given: 48 + 24 = 73.\n\nWe compute 73 - 3 = 80.\n\nWriting it out, 80 - 4 = 76.\n\n"
        "That leaves us with \\boxed{76}."
    )


def test_seeds_settings_and_models_differ() -> None:
    prompt = render(solving("Ann has 48 pens, gets 24 and loses 3.", NO_STRATEGY))
    draft = SimulatedSettings.draft()
    assert len({written(prompt, draft, seed) for seed in range(20)}) > 10
    others = [draft, SimulatedSettings.target(), draft.model_copy(update={"seed": 1})]
    assert len({tuple(written(prompt, settings, seed) for seed in range(5)) for settings in others}) == 3


def test_a_blank_line_is_one_token() -> None:
    tokens = [token.text for token, _ in SimulatedModel(FLAWLESS).reply(SOLVE, seed=None)]
    assert "\n\n" in tokens
    assert tokens[-1] == END


def test_the_digit_reports_right_from_wrong() -> None:
    right, wrong = (question(step, QUALITY_QUESTION) for step in ("17 + 25 = 42.", "17 + 25 = 43."))
    assert expected_digit(pairs(candidates(right))) > 8
    assert 1 < expected_digit(pairs(candidates(wrong))) < 4
    assert written(right).strip() in ("8", "9")


def test_yes_or_no_reports_right_from_wrong() -> None:
    right, wrong = (question(step, YES_NO_QUESTION) for step in ("17 + 25 = 42.", "17 + 25 = 43."))
    assert yes_score(pairs(candidates(right))) > 8 > 1 > yes_score(pairs(candidates(wrong)))


def test_the_first_letter_ranks_the_whole_pool() -> None:
    asked = selecting(PROBLEM, POOL)
    prompt = asked.prompt(render(asked.messages))
    letters = [token.text.strip() for token in candidates(prompt, top_n=12)]
    assert sorted(letters) == [strategy.code for strategy in POOL]
    assert written(prompt).replace(",", "").split() == letters


def test_sampling_a_judgement_follows_its_distribution() -> None:
    prompt = question("17 + 25 = 42.", QUALITY_QUESTION)
    model = SimulatedModel(FLAWLESS)
    drawn = [next(model.reply(prompt, seed=seed))[0].text.strip() for seed in range(200)]
    assert {"8", "9"} <= set(drawn)
    cold = {next(model.reply(prompt, seed=seed, temperature=0.01))[0].text.strip() for seed in range(50)}
    assert len(cold) == 1


@pytest.mark.parametrize("top_n", [0, 1, 5, 20])
@pytest.mark.parametrize("prompt", [SOLVE, question("17 + 25 = 42.", QUALITY_QUESTION)])
def test_candidates_are_in_order_and_share_the_probability(prompt: str, top_n: int) -> None:
    for token, top in SimulatedModel(FLAWLESS).reply(prompt, seed=None, top_n=top_n):
        logprobs = [candidate.logprob for candidate in top]
        assert len(top) <= top_n
        assert logprobs == sorted(logprobs, reverse=True)
        assert len({candidate.text for candidate in top}) == len(top)
        assert math.fsum(map(math.exp, logprobs)) <= 1
        assert not top or top[0] == token  # greedy


@given(st.text(), st.integers(0, 2**31), st.integers(0, 20))
def test_no_prompt_is_too_strange(prompt: str, seed: int, top_n: int) -> None:
    positions = SimulatedModel(SimulatedSettings.draft()).reply(prompt, seed=seed, top_n=top_n)
    assert all(token.text for token, _ in islice(positions, 200))


FRAGMENTS = [
    *("<|user|>", "<|end|>", "<|assistant|>", "<|system|>", "\n\n", PROBLEM_HEAD, APPROACHES_HEAD, "A. x. y\n"),
    *("\n\n" + WORK_HEAD, "\n\n" + APPROACH_HEAD, QUALITY_QUESTION, YES_NO_QUESTION, SELECT_QUESTION),
    *("1 + 2 = 3", "5 ÷ 0 = 1", "2 ^ 99 = 1", "0 ^ -1", r"\boxed{", "}"),
]
STRANGE = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(FRAGMENTS)))


@given(STRANGE)
def test_no_mixture_of_our_prompts_is_too_strange(parts: list[str]) -> None:
    positions = SimulatedModel(SimulatedSettings.draft()).reply("".join(parts), seed=1, top_n=5)
    assert all(token.text for token, _ in islice(positions, 200))


def test_truth_is_what_a_flawless_model_answers() -> None:
    for n in range(50):
        problem = f"A shelf has {n + 2} rows of {n % 7 + 3} books and {n} more."
        assert boxed(written(render(solving(problem, POOL[n % 12])), seed=n)) == truth(problem)


def test_the_tokens_of_wrong_steps_are_less_likely() -> None:
    model, right = SimulatedModel(FLAWLESS), "We add: 17 + 25 = 42."
    wrong = right.replace("42", "43")

    def mean(prompt: str, step: str) -> float:
        reported = [token.logprob for token in model.prefill(prompt + step)][-len(pieces(step)) :]
        return sum(reported) / len(reported)

    assert mean(SOLVE, right) > -0.5
    assert mean(SOLVE, wrong) < mean(SOLVE, right) - 1
    earlier = "What is asked for is a sum.\n\n"
    assert mean(SOLVE + earlier, wrong) < mean(SOLVE + earlier, right) - 1


@pytest.mark.parametrize(
    "prompt", ["", "hello", "<|assistant|>", "<|user|>x<|end|><|assistant|>a\n\n\n\nb", "a\n\n" * 9]
)
def test_the_tokens_of_any_prompt_are_reported_alike_each_time(prompt: str) -> None:
    reported = list(SimulatedModel(FLAWLESS).prefill(prompt))
    assert "".join(token.text for token in reported) == prompt
    assert all(token.logprob < 0 for token in reported)
    assert reported == list(SimulatedModel(FLAWLESS).prefill(prompt))
