"""Which of a prompt's tokens belong to the text at its end. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def tail_logprobs(tokens: Sequence[tuple[str, float | None]], prompt: str, text: str) -> tuple[float, ...]:
    """The log probabilities of the tokens that `text` is made of, of the `tokens` of `prompt` + `text`.

    Looked for from the end, because tokens that the engine adds at the beginning have texts of their own. A token that
    begins in the prompt and ends in the text is one of the text's. Tokens without a (finite) probability are left out.
    """
    whole, start = prompt + text, len(prompt)
    end, found = len(whole), []
    for token, logprob in reversed(tokens):
        lost = whole[start:end].isspace() and not whole.endswith(token, 0, end)
        if end <= start or lost:
            break
        end = _begin(whole, end, token)
        if logprob is not None and math.isfinite(logprob):
            found.append(logprob)
    return tuple(reversed(found))


def _begin(whole: str, end: int, token: str) -> int:
    """Where the token that ends at `end` begins.

    Some tokenizers lose the blank before a word when they report a token alone, and report nothing or a replacement
    character for a part of a character.
    """
    if whole.endswith(token, 0, end):
        return end - len(token)
    blank = len(whole[:end].rstrip())
    return blank - len(token) if whole.endswith(token, 0, blank) else end - len(token)
