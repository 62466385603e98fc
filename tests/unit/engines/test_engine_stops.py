"""Stop texts."""

from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest
from ssr.engines.stops import check_stops, cut_at_stop


def test_the_first_stop_text_ends_the_text() -> None:
    assert cut_at_stop("one.\n\ntwo END", ["END", "\n\n"]) == ("one.", True)
    assert cut_at_stop("one", ["\n\n"]) == ("one", False)
    assert cut_at_stop("one", []) == ("one", False)


@pytest.mark.parametrize("stop", [["a"] * 5, ["a", ""]])
def test_stop_texts_no_engine_takes(stop: list[str]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_stops(stop)
    assert raised.value.field == "stop"
