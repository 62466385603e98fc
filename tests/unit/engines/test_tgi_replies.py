"""What a reply of TGI's /generate means, and which replies mean nothing."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from huggingface_hub import (
    TextGenerationStreamOutput,
    TextGenerationStreamOutputStreamDetails,
    TextGenerationStreamOutputToken,
)

from ssr.core.errors import BadReply, InvalidRequest, Overloaded, SsrError, Unavailable
from ssr.engines.base import Finish, Generation, TokenLogprob
from ssr.engines.json_connection import Reply
from ssr.engines.tgi_replies import (
    StreamDetails,
    StreamEvent,
    StreamToken,
    ended,
    event_in,
    generation_in,
    likelihood_in,
    next_token_in,
)

PROMPT = "What is 17 + 25?"


def reply(headers: dict[str, str] | None = None, *, text: Any = "One.\n\n", **details: Any) -> Reply:
    reported = {"finish_reason": "stop_sequence", "generated_tokens": 3, "tokens": [{"whatever": 1}], **details}
    return Reply("http://engine", json.dumps({"generated_text": text, "details": reported}).encode(), headers or {})


def test_a_generation_with_its_prompts_counts() -> None:
    found = generation_in(reply({"x-prompt-tokens": "12", "x-cached-tokens": "4"}), PROMPT, 8)
    assert found == Generation("One.\n\n", 3, Finish.STOP, 12, 4)
    assert generation_in(reply(finish_reason="eos_token"), PROMPT, 8) == Generation("One.\n\n", 3, Finish.EOS)


def test_a_stream_of_more_tokens_than_it_claims_is_garbage() -> None:
    details = StreamDetails("eos_token", 2)
    assert ended("http://engine", details, PROMPT, "6 + 7", 2, 8).tokens == 2
    with pytest.raises(BadReply, match="sent 3 tokens and claims that these are 2"):
        ended("http://engine", details, PROMPT, "6 + 7", 3, 8)


def test_candidates_are_ranked_and_bounded() -> None:
    top = [{"id": 1, "text": text, "logprob": logprob, "special": False} for text, logprob in [("a", -2), ("b", -0.5)]]
    assert next_token_in(reply(top_tokens=[top, []]), PROMPT, 1).candidates == (TokenLogprob("b", -0.5),)


def test_a_candidate_of_no_probability_is_none() -> None:
    top = [[{"text": "a", "logprob": -0.1}, {"text": "b", "logprob": None}]]
    assert next_token_in(reply(top_tokens=top), PROMPT, 5).candidates == (TokenLogprob("a", -0.1),)


@pytest.mark.parametrize(
    ("details", "named"),
    [
        ({"text": None}, "generated_text"),
        ({"text": "x" * 900}, "900 characters and claims that these are 3 tokens"),
        ({"generated_tokens": "3"}, "'3' generated tokens"),
        ({"generated_tokens": -3}, "-3 generated tokens"),
        ({"generated_tokens": 9}, "9 generated tokens; at most 8"),
        ({"generated_tokens": 10**12}, "generated tokens"),
        ({"generated_tokens": 2.5}, "generated tokens"),
        ({"generated_tokens": True}, "generated tokens"),
        ({"finish_reason": "tired"}, "tired"),
        ({"finish_reason": None}, "details"),
    ],
)
def test_what_is_wrong_is_named(details: dict[str, Any], named: str) -> None:
    with pytest.raises(BadReply, match=f"http://engine .*{named}"):
        generation_in(reply(**details), PROMPT, 8)


@pytest.mark.parametrize("top_tokens", [None, [], [[]], 7, [7], [[7]], [[{"text": 7, "logprob": -1}]], [[None]]])
def test_no_candidates(top_tokens: Any) -> None:
    with pytest.raises(BadReply, match="top_tokens"):
        next_token_in(reply(top_tokens=top_tokens), PROMPT, 3)


@pytest.mark.parametrize("logprob", [0.5, 1000, float("nan"), float("inf"), "-1", True, 10**400])
def test_a_log_probability_that_is_none(logprob: Any) -> None:
    with pytest.raises(BadReply, match="log probability"):
        next_token_in(reply(top_tokens=[[{"text": "a", "logprob": logprob}]]), PROMPT, 3)
    with pytest.raises(BadReply, match="log probability"):
        likelihood_in(reply(prefill=[{"text": "One", "logprob": logprob}]), "", "One")


@pytest.mark.parametrize("logprob", [0, 1e-7, -9999.0, -3.4e38, -(10**400)])
def test_a_log_probability_at_the_edge(logprob: Any) -> None:
    (candidate,) = next_token_in(reply(top_tokens=[[{"text": "a", "logprob": logprob}]]), PROMPT, 3).candidates
    assert candidate.logprob <= 0


@pytest.mark.parametrize("reported", ["many", "-7", "1000000000000", "1e3"])
@pytest.mark.parametrize("header", ["x-prompt-tokens", "x-cached-tokens"])
def test_a_count_that_cannot_be(header: str, reported: str) -> None:
    if (header, reported) == ("x-cached-tokens", "1000000000000"):
        return  # more than the prompt has: a request that was preempted counts some twice
    with pytest.raises(BadReply):
        generation_in(reply({header: reported}), PROMPT, 8)


def test_the_types_of_a_streams_events_are_the_hubs() -> None:
    """They are our own for their cost alone; no field may be one that TGI does not have."""
    for ours, theirs in (
        (StreamToken, TextGenerationStreamOutputToken),
        (StreamDetails, TextGenerationStreamOutputStreamDetails),
        (StreamEvent, TextGenerationStreamOutput),
    ):
        names = {field.name for field in fields(ours)} - {"cached_length", "prompt"}  # those of our own engines
        assert names <= {field.name for field in fields(theirs)}


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (b'{"error": "full", "error_type": "overloaded"}', Overloaded),
        (b'{"error": "bad", "error_type": "validation"}', InvalidRequest),
        (b'{"error": "broken", "error_type": "generation"}', Unavailable),
        (b'{"error": "half", "error_type": "incomplete_generation_stream"}', Unavailable),
        (b'{"token": {"text": 7}}', BadReply),
        (b'{"token": {"text": "half', BadReply),
        (b"[" * 100_000, BadReply),
    ],
)
def test_an_event_that_is_no_token(event: bytes, error: type[SsrError]) -> None:
    with pytest.raises(SsrError) as raised:
        event_in("http://engine", event)
    assert type(raised.value) is error
