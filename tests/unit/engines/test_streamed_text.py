"""What a growing text gives out, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.engines.stops import cut_at_stop
from ssr.engines.streamed_text import StreamedText


@pytest.mark.parametrize(
    ("tokens", "given_out"),
    [
        (["One", ".\n", "Two"], ["One", ".", "\nTwo"]),
        (["One.", "\n", "\nTwo", "more"], ["One.", "", "", ""]),
        (["a\n\nb"], ["a"]),
        (["7 \ufffd", "\ufffd\ufffd", "√ 2"], ["7 ", "", "\ufffd\ufffd\ufffd√ 2"]),
    ],
)
def test_nothing_that_may_be_a_stop_or_half_a_character(tokens: list[str], given_out: list[str]) -> None:
    grown = StreamedText(["\n\n"])
    assert [grown.add(token) for token in tokens] == given_out


def test_what_was_held_back_comes_at_the_end_without_half_a_character() -> None:
    grown = StreamedText(["\n\n"])
    assert (grown.add("One.\n"), grown.end(), grown.text) == ("One.", "\n", "One.\n")
    grown = StreamedText([])
    assert (grown.add("7 \ufffd"), grown.end(), grown.text) == ("7 ", "", "7 ")


def test_a_model_goes_on_before_half_a_character() -> None:
    grown = StreamedText(["\n\n"])
    grown.add("One.\n\ufffd")
    assert grown.resume() == "One.\n"
    assert grown.add("\nTwo") == ""
    assert (grown.stopped, grown.text) == (True, "One.")


@given(
    st.lists(st.text("ab\n\ufffd", max_size=4), max_size=8),
    st.sets(st.text("ab\n", min_size=1, max_size=3), max_size=4),
)
def test_the_pieces_are_the_whole_cut_at_the_first_stop(tokens: list[str], stops: set[str]) -> None:
    grown = StreamedText(sorted(stops))
    pieces = [grown.add(token) for token in tokens]
    pieces.append(grown.end())
    whole, stopped = cut_at_stop("".join(tokens), sorted(stops))
    assert "".join(pieces) == grown.text
    assert grown.stopped is stopped
    assert not any(stop in grown.text for stop in stops)  # one inside a longer one may end the text first
    if not stopped:
        assert grown.text == whole.rstrip("\ufffd")
