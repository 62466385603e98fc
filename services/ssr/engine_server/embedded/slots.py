"""Which of llama.cpp's slots a request gets: the one whose cache begins most like its prompt.

llama.cpp would choose too, but among those it holds for free; a slot whose request was stopped a moment ago is not yet,
and just that slot has the path that goes on. Naming the slot makes llama.cpp wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Slot:
    """One place of the batch. `text`: what its cache holds, or soon will; `last_use` counts requests."""

    index: int
    text: str = ""
    last_use: int = 0


class SlotBook:
    """The texts in the caches of `count` slots. Who takes one must hold a place in the batch: then one is free."""

    def __init__(self, count: int) -> None:
        self._free = [Slot(index) for index in range(count)]
        self._uses = 0

    @contextmanager
    def take(self, prompt: str) -> Iterator[Slot]:
        """The best free slot; the caller adds to its `text` what is generated."""
        # A slot that shares nothing should be the one whose text is least likely to be wanted again: the oldest.
        slot = max(self._free, key=lambda slot: (_shared(slot.text, prompt), -slot.last_use))
        self._free.remove(slot)
        self._uses += 1
        slot.last_use, slot.text = self._uses, prompt
        try:
            yield slot
        finally:
            self._free.append(slot)


def _shared(text: str, prompt: str) -> int:
    """Characters that both begin with, if the slot's text would go on in the prompt.

    A question about a path's last step differs from the one before in its last quarter at most; what shares less is
    another path of the same problem, and would lose its own end.
    """
    shared = len(os.path.commonprefix((text, prompt)))  # noqa: RUF071 - character by character is what is wanted
    return shared if 4 * shared >= 3 * len(text) else 0
