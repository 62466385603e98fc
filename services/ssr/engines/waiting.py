"""Calls that wait for a place on a replica: whose turn it is. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Generic, Protocol, TypeVar

#: So many calls that go before others, in a row, let one of the others go first: nobody starves.
_IN_A_ROW = 4


class Waiting(Protocol):
    """A call that waits; one with a priority below 0 lets others go before it."""

    @property
    def priority(self) -> int: ...


Call = TypeVar("Call", bound=Waiting)


class WaitingCalls(Generic[Call]):
    """First come, first served, but batch work (a priority below 0) behind the rest, with a fifth of the turns."""

    def __init__(self) -> None:
        self._first: deque[Call] = deque()
        self._batch: deque[Call] = deque()
        self._in_a_row = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._batch)

    def __iter__(self) -> Iterator[Call]:
        yield from self._first
        yield from self._batch

    def before(self, priority: int) -> bool:
        """Whether a call that came now would have to wait for another's turn."""
        return bool(self._first or (priority < 0 and self._batch))

    def add(self, call: Call) -> None:
        self._line(call).append(call)

    def remove(self, call: Call) -> None:
        self._line(call).remove(call)

    def turns(self) -> Sequence[Call]:
        """The calls whose turn it is, the one to prefer first: of each kind the one that came first. They stay."""
        first, batch = [*islice(self._first, 1)], [*islice(self._batch, 1)]
        return [*batch, *first] if self._in_a_row >= _IN_A_ROW else [*first, *batch]

    def took(self, call: Call) -> None:
        """A call whose turn it was has its place."""
        self._line(call).popleft()
        self._in_a_row = self._in_a_row + 1 if call.priority >= 0 and self._batch else 0

    def _line(self, call: Call) -> deque[Call]:
        return self._batch if call.priority < 0 else self._first
