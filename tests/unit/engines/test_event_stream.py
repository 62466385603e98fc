"""Events out of bytes, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.errors import BadReply
from ssr.engines import event_stream
from ssr.engines.event_stream import EventParser

STREAM = (
    b": keep-alive\n\n"
    b'data: {"a": 1}\n\n'
    b"event: message\nid: 7\ndata: first\ndata:second\n\n"
    b"retry: 10\n\n"
    b"data:\n\ndata\n\ndata:  \n\n"
    b"data: [DONE] \n\n"
)
EVENTS = [b'{"a": 1}', b"first\nsecond", b"[DONE]"]


@given(st.sets(st.integers(1, len(STREAM) - 1)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_and_any_line_end(cuts: set[int], newline: bytes) -> None:
    stream, parser = STREAM.replace(b"\n", newline), EventParser("http://engine")
    edges = [0, *sorted(cuts), len(stream)]
    events = [event for a, b in pairwise(edges) for event in parser.feed(stream[a:b])]
    assert events + parser.end() == EVENTS


def test_a_last_event_without_its_empty_line() -> None:
    parser = EventParser("http://engine")
    assert (parser.feed(b"data: 1\n\ndata: 2"), parser.end(), parser.end()) == ([b"1"], [b"2"], [])


@pytest.mark.parametrize("piece", [b"x" * 60, b"data: " + b"x" * 40 + b"\n", b": " + b"y" * 90])
def test_an_endless_line_or_event_is_given_up(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENT_BYTES", 100)
    parser = EventParser("http://engine")
    with pytest.raises(BadReply, match="more than 100 bytes"):
        for _ in range(9):
            parser.feed(piece)
