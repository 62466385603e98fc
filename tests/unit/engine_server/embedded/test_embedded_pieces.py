"""Offsets of tokens, in characters of the text."""

from __future__ import annotations

from ssr.engine_server.embedded.pieces import located


def spans(text: str, *pieces: bytes) -> list[tuple[str, int, int]]:
    return [(p.text, p.start, p.stop) for p in located(text, enumerate(pieces))]


def test_plain_tokens_follow_each_other() -> None:
    assert spans("Hi you", b"Hi", b" you") == [("Hi", 0, 2), (" you", 2, 6)]


def test_tokens_that_share_a_character_both_span_it() -> None:
    raw = "é!".encode()
    assert spans("aé!", b"a", raw[:1], raw[1:]) == [("a", 0, 1), ("é", 1, 2), ("é!", 1, 3)]


def test_a_token_that_the_tokeniser_added_has_no_span() -> None:
    assert spans("Hi", b"<s>", b" Hi") == [("<s>", 0, 0), ("Hi", 0, 2)]


def test_nothing_has_no_tokens() -> None:
    assert spans("") == []
