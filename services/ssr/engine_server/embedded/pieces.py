"""Where in a text its tokens lie."""

from __future__ import annotations

from collections.abc import Iterable

from ssr.engine_server.server.backend import TokenPiece


def located(text: str, tokens: Iterable[tuple[int, bytes]]) -> list[TokenPiece]:
    """`tokens` (ids and bytes) of `text` with their offsets in characters.

    Tokens that share a character have overlapping spans. A token that is not in the text (a beginning-of-text token
    that the tokeniser added) has an empty span and its own text.
    """
    raw = text.encode()
    characters = _character_at(text)
    pieces, at = [], 0
    for token, piece in tokens:
        found = _match(raw, at, piece)
        if found is None:
            start = characters[at]
            pieces.append(TokenPiece(token, piece.decode(errors="replace"), start, start))
            continue
        at = at + len(found)
        start = characters[at - len(found)]
        stop = characters[at - 1] + 1 if found else start
        pieces.append(TokenPiece(token, text[start:stop], start, stop))
    return pieces


def _match(raw: bytes, at: int, piece: bytes) -> bytes | None:
    # SentencePiece vocabularies put a space before the first word that is not in the text.
    for candidate in (piece, piece.removeprefix(b" ")):
        if raw.startswith(candidate, at):
            return candidate
    return None


def _character_at(text: str) -> list[int]:
    """For each byte of the encoded text, and its end, the index of the character it belongs to."""
    return [index for index, character in enumerate(text) for _ in character.encode()] + [len(text)]
