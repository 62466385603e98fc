"""Which request a row of an engine's batch is. The engine gives no ids and moves rows, so contents identify it.

Two requests with equal contents cannot be distinguished, and need not be: what is drafted for one suits the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar


@dataclass(slots=True, eq=False)
class Request:
    """`content` are the bytes of all its tokens, prompt first, as it was last seen, at `seen_s`."""

    content: bytearray
    seen_s: float


Seen = TypeVar("Seen", bound=Request)


class Rows(Generic[Seen]):
    """The requests that were seen, each by its row of last time and by its length."""

    def __init__(self) -> None:
        self._rows: list[Seen | None] = []
        self._by_length: dict[int, list[Seen]] = {}
        self._taken: set[Seen] = set()

    def __iter__(self) -> Iterator[Seen]:
        return (request for requests in list(self._by_length.values()) for request in list(requests))

    def begin_step(self, rows: int) -> None:
        """A step of so many rows begins; no request is in two of them."""
        self._taken.clear()
        self._rows = [*self._rows[:rows], *[None] * (rows - len(self._rows))]

    def find(self, row: int, before: bytes) -> Seen | None:
        """The request whose content was `before`; None where it is a new one."""
        hint = self._rows[row]
        if hint is not None and self._is(hint, before):
            return hint
        for request in self._by_length.get(len(before), ()):
            if self._is(request, before):
                return request
        return None

    def put(self, row: int, request: Seen, new: bytes, now_s: float) -> None:
        """The request is in this row, and has grown by `new`."""
        self._leave(request)
        request.content += new
        request.seen_s = now_s
        self._taken.add(request)
        self._by_length.setdefault(len(request.content), []).append(request)
        self._rows[row] = request

    def forget(self, requests: Collection[Seen]) -> None:
        """They have ended."""
        for request in requests:
            self._leave(request)
        self._rows = [None if request in requests else request for request in self._rows]

    def _is(self, request: Seen, before: bytes) -> bool:
        return request not in self._taken and request.content == before

    def _leave(self, request: Seen) -> None:
        same = self._by_length.get(len(request.content), [])
        if request in same:
            same.remove(request)
            if not same:
                del self._by_length[len(request.content)]
