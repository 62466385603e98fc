"""The tokens that answer a question: which of a model's tokens are "Yes", "No", a digit or a letter.

Engines that report the probabilities of tokens by their ids report those of all answers, also of one that is not among
the most probable tokens. Which ids these are is asked of the server's tokenizer, behind the end of the question's
prompt: a text by itself may be other tokens than behind that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ssr.core.errors import Permanent, Retryable

#: Characters of a prompt's end that its last tokens depend on. Equal questions end alike.
_TAIL_CHARS = 24
#: What is remembered: questions with their answers.
_KEPT = 64

Tokenize = Callable[[str], Awaitable[Sequence[int]]]


class AnswerTokens:
    """Finds the ids of answers with `tokenize`, which adds no special tokens, and remembers them."""

    def __init__(self, tokenize: Tokenize) -> None:
        self._tokenize = tokenize
        self._known: dict[tuple[str, tuple[str, ...]], Mapping[int, str]] = {}
        self._asking = asyncio.Lock()

    async def ids(self, prompt: str, answers: Sequence[str]) -> Mapping[int, str]:
        """The tokens that are one of the `answers` behind the prompt, in the spellings of `spellings`, and their texts.

        Empty where an answer has no token of its own, or the server does not say.
        """
        asked = prompt[-_TAIL_CHARS:], tuple(answers)
        async with self._asking:  # callers at once ask once
            if asked not in self._known:
                try:
                    self._known[asked] = await self._found(*asked)
                except Retryable:
                    return {}  # this time
                except Permanent:
                    self._known[asked] = {}
                while len(self._known) > _KEPT:
                    del self._known[next(iter(self._known))]
        return self._known[asked]

    async def _found(self, tail: str, answers: tuple[str, ...]) -> Mapping[int, str]:
        before, found = list(await self._tokenize(tail)), dict[int, str]()
        for answer in answers:
            known = len(found)
            for spelling in spellings(answer):
                *begin, last = await self._tokenize(tail + spelling) or [-1]
                if begin == before:
                    found.setdefault(last, spelling)
            if len(found) == known:
                return {}
        return found


def spellings(answer: str) -> list[str]:
    """How models write an answer: as it is, in small or in capital letters if it is a word, and behind a blank."""
    cases = {answer: None, answer.lower(): None, answer.upper(): None} if len(answer) > 1 else {answer: None}
    return [blank + case for case in cases for blank in ("", " ")]
