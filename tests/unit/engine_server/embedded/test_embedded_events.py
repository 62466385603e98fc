"""llama.cpp's chunks become one event a token, ended as TGI would."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ssr.engine_server.embedded.events import token_events
from ssr.engine_server.embedded.llama_api import Candidate, CompletionChunk
from ssr.engine_server.embedded.sampling import completion_body
from ssr.engine_server.server.backend import FinishReason, GenerateRequest, TokenEvent
from ssr.engine_server.server.stopping import StopCriteria

EOS = Candidate(2, "", b"", -0.1)


def chunk(text: str, generated: int, chosen: Candidate | None = None, stop_type: str | None = None) -> CompletionChunk:
    if chosen is None and stop_type is None:
        chosen = Candidate(ord(text[0]), text, text.encode(), -0.5)
    candidates = () if chosen is None else (chosen, EOS)
    return CompletionChunk(text, generated, 10, 4, chosen, candidates, stop_type)


async def events_of(*chunks: CompletionChunk, limit: int = 50, stop: tuple[str, ...] = ()) -> list[TokenEvent]:
    async def arriving() -> AsyncIterator[CompletionChunk]:
        for each in chunks:
            yield each

    async def text_of(token: int) -> str:
        return f"<|{token}|>"

    criteria = StopCriteria(limit, stop)
    batches = token_events(arriving(), criteria, text_of, top_n=2, queue_s=0.5)
    return [event async for events in batches for event in events]


async def test_the_end_of_turn_token_is_the_last_event() -> None:
    *_, last = events = await events_of(chunk("a", 1), chunk("", 2, EOS), chunk("", 2, stop_type="eos"))
    assert [event.token.text for event in events] == ["a", "<|2|>"]
    assert (last.token.special, last.end and last.end.reason) == (True, FinishReason.EOS_TOKEN)
    assert [token.text for token in events[0].top_tokens] == ["a", "<|2|>"]


async def test_another_special_token_goes_on() -> None:
    events = await events_of(chunk("", 1, EOS), chunk("b", 2), limit=2)
    assert [event.token.special for event in events] == [True, False]
    assert events[-1].end is not None
    assert (events[-1].end.reason, events[-1].end.cached_tokens) == (FinishReason.LENGTH, 4)


async def test_tokens_kept_back_for_half_a_character_are_counted() -> None:
    events = await events_of(chunk("a", 1), chunk("é", 3), chunk("", 4, stop_type="limit"), limit=4)
    assert [event.token.text for event in events] == ["a", "", "é", ""]
    assert events[-1].end is not None


async def test_nothing_follows_the_stop_text() -> None:
    events = await events_of(chunk("a", 1), chunk("\n\n", 2), chunk("b", 3), stop=("\n\n",))
    assert [event.token.text for event in events] == ["a", "\n\n"]


async def test_a_generation_that_llama_cpp_cuts_short_has_no_end() -> None:
    events = await events_of(chunk("a", 1), chunk("", 1, stop_type="limit"))
    assert [event.end for event in events] == [None]


def test_greedy_and_sampling_share_no_defaults_of_llama_cpp() -> None:
    greedy = completion_body(GenerateRequest("x", 5, 1, seed=3), 100, slot=2)
    assert (greedy["samplers"], greedy["temperature"], greedy["top_k"]) == (["penalties", "top_k"], 0.0, 1)
    warped = GenerateRequest("x", 5, 1, do_sample=True, temperature=0.6, top_p=0.9, seed=2**33)
    sampled = completion_body(warped, 100, slot=2)
    assert sampled["samplers"] == ["penalties", "temperature", "top_p"]
    assert (sampled["temperature"], sampled["top_p"], 0 <= sampled["seed"] < 2**32 - 1) == (0.6, 0.9, True)
    assert "stop" not in sampled
    assert sampled["id_slot"] == 2
