"""A toy tokenizer: words, numbers of up to three digits, signs, and blank lines as tokens of their own.

The pieces of a text concatenate to the text. A piece's id is its hash, so it is the same everywhere, without a
vocabulary; different pieces may, very rarely, share an id.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import overload

from ssr.engine_server.server.backend import TokenPiece

SPECIAL_IDS = {"<|end|>": 0, "<|system|>": 1, "<|user|>": 2, "<|assistant|>": 3}
END = "<|end|>"  #: ends a turn

_FIRST_PLAIN_ID = 16
_IDS = 2**31 - _FIRST_PLAIN_ID
_PIECE = re.compile(
    r"<\|(?:end|system|user|assistant)\|>|\n\n|\n| ?[^\W\d_]{1,8}| ?[0-9]{1,3}|[ \t]+|.",
    re.DOTALL,
)


@lru_cache(maxsize=128)  # a prompt is tokenised to check its length, and again to be answered
def pieces(text: str) -> tuple[str, ...]:
    """The tokens of `text`, as text."""
    return tuple(_PIECE.findall(text))


@lru_cache(maxsize=4096)
def piece_id(piece: str) -> int:
    """The token's id, 0 .. 2**31 - 1."""
    special = SPECIAL_IDS.get(piece)
    if special is not None:
        return special
    return _FIRST_PLAIN_ID + zlib.crc32(piece.encode("utf-8", "surrogatepass")) % _IDS


class TokenisedText(Sequence[TokenPiece]):
    """The tokens of `text`; made into `TokenPiece`s only when they are looked at, because mostly they are counted."""

    def __init__(self, text: str) -> None:
        self._pieces = pieces(text)

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[TokenPiece]:
        ends = accumulate(map(len, self._pieces))
        return (
            TokenPiece(piece_id(piece), piece, end - len(piece), end)
            for piece, end in zip(self._pieces, ends, strict=True)
        )

    @overload
    def __getitem__(self, index: int) -> TokenPiece: ...

    @overload
    def __getitem__(self, index: slice) -> list[TokenPiece]: ...

    def __getitem__(self, index: int | slice) -> TokenPiece | list[TokenPiece]:
        return list(self)[index]
