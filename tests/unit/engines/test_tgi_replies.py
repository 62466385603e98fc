"""What a reply of TGI's /generate means, and which replies mean nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ssr.core.errors import BadReply
from ssr.engines.base import Finish, Generation, TokenLogprob
from ssr.engines.json_connection import Reply
from ssr.engines.tgi_replies import generation_in, next_token_in


def reply(headers: dict[str, str] | None = None, *, text: Any = "One.\n\n", **details: Any) -> Reply:
    told = {"finish_reason": "stop_sequence", "generated_tokens": 3, "tokens": [{"whatever": 1}], **details}
    return Reply("http://engine", json.dumps({"generated_text": text, "details": told}).encode(), headers or {})


def test_a_generation_with_its_prompts_counts() -> None:
    found = generation_in(reply({"x-prompt-tokens": "12", "x-cached-tokens": "4"}), ["\n\n"])
    assert found == Generation("One.", 3, Finish.STOP, 12, 4)
    assert generation_in(reply(finish_reason="eos_token"), []) == Generation("One.\n\n", 3, Finish.EOS)


def test_candidates_are_ranked_and_bounded() -> None:
    top = [{"id": 1, "text": text, "logprob": logprob, "special": False} for text, logprob in [("a", -2), ("b", -0.5)]]
    assert next_token_in(reply(top_tokens=[top, []]), 1).candidates == (TokenLogprob("b", -0.5),)


@pytest.mark.parametrize(
    "details",
    [
        {"text": None},
        {"generated_tokens": "3"},
        {"finish_reason": "tired"},
        {"top_tokens": [[{"text": "a", "logprob": None}]]},
    ],
)
def test_what_is_wrong_is_named(details: dict[str, Any]) -> None:
    name = next(iter(details)).replace("text", "generated_text")
    with pytest.raises(BadReply, match=f"http://engine .*{name}"):
        generation_in(reply(**details), [])


@pytest.mark.parametrize("top_tokens", [None, [], [[]]])
def test_no_candidates(top_tokens: Any) -> None:
    with pytest.raises(BadReply, match="top_tokens"):
        next_token_in(reply(top_tokens=top_tokens), 3)


def test_a_count_that_is_no_number() -> None:
    with pytest.raises(BadReply, match="x-prompt-tokens"):
        generation_in(reply({"x-prompt-tokens": "many"}), [])
