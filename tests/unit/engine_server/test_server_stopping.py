"""TGI ends a generation at a token's end, never inside one."""

from __future__ import annotations

import pytest

from ssr.engine_server.server.backend import FinishReason
from ssr.engine_server.server.stopping import StopCriteria


def reasons(texts: list[str], *, stop: list[str], limit: int = 100) -> list[FinishReason | None]:
    criteria = StopCriteria(limit, stop)
    return [criteria.after(text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "stop"),
    [
        (["a", "\n\n"], ["\n\n"]),
        (["a.", "\n", "\n"], ["\n\n"]),
        (["a", ".\n\n"], ["\n\n"]),
        (["a", "", "\n\n"], ["x", "\n\n"]),
        (["a", "STOP\n"], ["STOP"]),
    ],
    ids=["a token of its own", "over two tokens", "the end of a token", "the second text", "a line feed behind"],
)
def test_the_last_token_ends_the_text_with_a_stop_text(texts: list[str], stop: list[str]) -> None:
    assert reasons(texts, stop=stop) == [*[None] * (len(texts) - 1), FinishReason.STOP_SEQUENCE]


def test_a_stop_text_inside_a_token_does_not_end_the_generation() -> None:
    assert reasons(["a", "\n\nThen", " b"], stop=["\n\n"]) == [None, None, None]


def test_length_comes_before_the_end_of_the_turn_and_that_before_a_stop_text() -> None:
    assert StopCriteria(1, ["x"]).after("x", eos=True) is FinishReason.LENGTH
    assert StopCriteria(2, ["x"]).after("x", eos=True) is FinishReason.EOS_TOKEN


def test_without_stop_texts_only_the_length_counts() -> None:
    assert reasons(["a", "b"], stop=[], limit=2) == [None, FinishReason.LENGTH]
