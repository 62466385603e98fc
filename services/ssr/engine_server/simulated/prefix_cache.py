"""Which prompt tokens need no processing because an earlier request began the same way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

BLOCK_TOKENS = 16  #: prefixes are remembered in whole blocks, as paged attention does


class PrefixCache:
    """Remembers prefixes of up to `capacity_tokens` tokens in all; the longest unused goes first."""

    def __init__(self, capacity_tokens: int) -> None:
        self._capacity = capacity_tokens // BLOCK_TOKENS
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def admit(self, tokens: tuple[str, ...]) -> int:
        """Remember these tokens; returns how many of them, from the first, were known already.

        At least one is always new: a model needs a token to process to predict what comes next.
        """
        known, counting = 0, True
        for key in _block_keys(tokens):
            if key in self._blocks:
                self._blocks.move_to_end(key)
                known += counting
            else:
                self._blocks[key] = None
                counting = False
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
        return min(known, max(len(tokens) - 1, 0) // BLOCK_TOKENS) * BLOCK_TOKENS


def _block_keys(tokens: tuple[str, ...]) -> Iterator[int]:
    """A key for each whole block, which stands for all tokens up to its end."""
    key = 0
    for end in range(BLOCK_TOKENS, len(tokens) + 1, BLOCK_TOKENS):
        key = hash((key, tokens[end - BLOCK_TOKENS : end]))
        yield key
