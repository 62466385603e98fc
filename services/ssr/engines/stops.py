"""Stop texts: what a request may carry, and where they end a text."""

from __future__ import annotations

from collections.abc import Sequence

from ssr.core.errors import InvalidRequest

#: The most stop texts a request may have: TGI's default limit, so that every engine takes them.
MAX_STOPS = 4


def check_stops(stop: Sequence[str]) -> list[str]:
    """The stop texts as a list; raises `InvalidRequest` when there are too many or one is empty."""
    if len(stop) > MAX_STOPS:
        raise InvalidRequest("stop", f"{len(stop)} stop texts given, at most {MAX_STOPS} are allowed")
    if "" in stop:
        raise InvalidRequest("stop", "a stop text is empty: leave it out")
    return list(stop)


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """`text` up to the first stop text in it, and whether there was one."""
    ends = [found for s in stop if (found := text.find(s)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def check_max_tokens(max_tokens: int) -> int:
    """Raises `InvalidRequest` when nothing may be generated."""
    if max_tokens < 1:
        raise InvalidRequest("max_tokens", f"is {max_tokens}, must be at least 1")
    return max_tokens
