"""What is proposed to the model."""

from __future__ import annotations

from dataclasses import dataclass

from ssr.consensus.source import DraftSource


@dataclass(frozen=True, slots=True)
class Draft:
    """The next tokens of a sample, to be verified by the model; none where nothing is worth a try.

    `confidences` are estimates that the token is accepted with all before it, so they fall. `sources` say where each
    token was found.
    """

    tokens: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()
    sources: tuple[DraftSource, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)
