"""Which of a prompt's tokens are those of the text at its end."""

from __future__ import annotations

import math

import pytest

from ssr.engines.likelihood import tail_logprobs


def tokens(*texts: str) -> list[tuple[str, float | None]]:
    """The first has no probability; the others -1, -2, ..."""
    return [(text, -float(at) if at else None) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("reported", "prompt", "text", "expected"),
    [
        (tokens("Say", " it", ".\n\n", "One", " two"), "Say it.\n\n", "One two", (-3, -4)),
        (tokens("Say", " it", ".\n\nO", "ne", " two"), "Say it.\n\n", "One two", (-2, -3, -4)),  # begins in the prompt
        (tokens("<s>", "Say", " it", " one"), "Say it", " one", (-3,)),  # the engine's own beginning
        (tokens("", "Say", " it", " one"), "Say it", " one", (-3,)),
        (tokens("<s>", "Say", "it", "one", "two"), "Say it", " one two", (-3, -4)),  # blanks that are lost
        (tokens("Say", " caf", "�", "�", " now"), "Say", " café now", (-1, -2, -3, -4)),  # parts of a character
        (tokens("Say", " caf", "", "é", " now"), "Say", " café now", (-1, -2, -3, -4)),
        (tokens("One", " two"), "", "One two", (-1,)),  # nothing is known of the first
        (tokens("Say", " it"), "Say it", "", ()),
        ([], "Say", " it", ()),
    ],
)
def test_the_texts_own_tokens(
    reported: list[tuple[str, float | None]], prompt: str, text: str, expected: tuple[float, ...]
) -> None:
    assert tail_logprobs(reported, prompt, text) == expected


def test_what_is_no_number_is_left_out() -> None:
    reported = [("a", -1.0), (" b", math.nan), (" c", -math.inf), (" d", None), (" e", -2.0)]
    assert tail_logprobs(reported, "", "a b c d e") == (-1.0, -2.0)
