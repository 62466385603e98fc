"""Which tokens are an answer, behind a prompt, whatever the tokenizer does with blanks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from ssr.core.errors import BadReply, InvalidRequest, NotFound, SsrError, Unavailable
from ssr.engines.answer_tokens import AnswerTokens


class Vocabulary:
    """Numbers the tokens that `split` makes; fails with `errors` first."""

    def __init__(self, split: Callable[[str], list[str]], *errors: SsrError) -> None:
        self.split, self.errors = split, list(errors)
        self.known: dict[str, int] = {}
        self.asked = 0

    async def __call__(self, text: str) -> list[int]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return [self.known.setdefault(token, len(self.known)) for token in self.split(text)]


def with_blanks_before(text: str) -> list[str]:
    """As byte-pair encodings do: a word takes one blank before it along."""
    return re.findall(r" ?[A-Za-z]+| ?[^\sA-Za-z]|\s", text)


def with_a_blank_at_the_beginning(text: str) -> list[str]:
    """As SentencePiece does: a text by itself begins with a blank that is not there."""
    return re.findall(r"_?[A-Za-z]+|[0-9]|[^A-Za-z_0-9]|_", "_" + text.replace(" ", "_"))


@pytest.mark.parametrize("split", [with_blanks_before, with_a_blank_at_the_beginning])
async def test_answers_are_the_tokens_behind_the_prompt(split: Callable[[str], list[str]]) -> None:
    vocabulary = Vocabulary(split)
    answers = AnswerTokens(vocabulary)
    found = await answers.ids("Is it right?\n", ["Yes", "No"])
    assert sorted(set(found.values())) == sorted(["Yes", " Yes", "yes", " yes", "YES", " YES", *NO])
    digits = await answers.ids("How good is it? Digit: ", ["7", "9"])
    assert {text.strip() for text in digits.values()} == {"7", "9"}
    texts = {number: token for token, number in vocabulary.known.items()}
    assert all(texts[number].replace("_", " ").strip() == text.strip() for number, text in found.items())


NO = ["No", " No", "no", " no", "NO", " NO"]


async def test_answers_of_several_tokens_are_none() -> None:
    vocabulary = Vocabulary(list)  # a character each
    assert await AnswerTokens(vocabulary).ids("a ", ["Yes", "7"]) == {}
    assert list((await AnswerTokens(vocabulary).ids("a ", ["7", "8"])).values()) == ["7", "8"]


async def test_a_tokenizer_that_knows_nothing_gives_no_answers() -> None:
    for split in (lambda text: [], lambda text: ["always the same"]):
        assert await AnswerTokens(Vocabulary(split)).ids("a ", ["7", "8"]) == {}


async def test_callers_at_once_ask_once_and_it_is_remembered() -> None:
    vocabulary = Vocabulary(with_blanks_before)
    answers = AnswerTokens(vocabulary)
    found = await asyncio.gather(*(answers.ids(f"problem {n}".ljust(40) + "Digit: ", ["7"]) for n in range(8)))
    assert all(found)
    assert vocabulary.asked == 1 + 2


@pytest.mark.parametrize("error", [NotFound("no"), BadReply("no"), InvalidRequest("prompt", "no")])
async def test_a_server_that_does_not_say_is_not_asked_again(error: SsrError) -> None:
    vocabulary = Vocabulary(with_blanks_before, error)
    answers = AnswerTokens(vocabulary)
    for _ in range(2):
        assert await answers.ids("Digit: ", ["7"]) == {}
    assert vocabulary.asked == 1


async def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    answers = AnswerTokens(Vocabulary(with_blanks_before, Unavailable("no")))
    assert await answers.ids("Digit: ", ["7"]) == {}
    assert await answers.ids("Digit: ", ["7"])


async def test_not_everything_is_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.engines.answer_tokens._KEPT", 1)
    vocabulary = Vocabulary(with_blanks_before)
    answers = AnswerTokens(vocabulary)
    for question in ("a: ", "b: ", "a: "):
        await answers.ids(question, ["7"])
    assert vocabulary.asked == 3 * 3
