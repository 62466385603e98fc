"""What is proposed to the model, and what is asked for it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ssr.core.errors import InvalidRequest


class DraftSource(StrEnum):
    """Of the continuation that speaks for the token most."""

    SIBLING = "sibling"  #: another sample of the group
    OWN = "own"  #: the prompt, or the sample itself
    HISTORY = "history"  #: a finished problem of the same tenant


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

    def cut(self, length: int) -> Draft:
        """Its first tokens."""
        return Draft(self.tokens[:length], self.confidences[:length], self.sources[:length])


@dataclass(frozen=True, slots=True)
class PassRow:
    """A sample's part of a pass: what the model wrote for it since the last one, and how much may be drafted now.

    `probabilities` are the model's own for `tokens`, where the engine reports them.
    Raises: InvalidRequest unless there are as many probabilities as tokens.
    """

    sample: Hashable
    tokens: Sequence[int]
    max_tokens: int
    probabilities: Sequence[float] | None = None

    def __post_init__(self) -> None:
        check_probabilities(self.tokens, self.probabilities)


def check_probabilities(tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
    """Raises: InvalidRequest unless there are as many of them, or none at all."""
    if probabilities is not None and len(probabilities) != len(tokens):
        raise InvalidRequest("probabilities", f"are {len(probabilities)} for {len(tokens)} tokens")
