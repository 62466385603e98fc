"""What can be chosen about drafting, with the limits of every value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssr.core.errors import InvalidRequest

#: Agreement beyond so many tokens adds no certainty.
LONGEST_AGREEMENT = 12


@dataclass(frozen=True, slots=True)
class ConsensusSettings:
    """The defaults were chosen with `ssr bench consensus --sweep`; choose again for a model and task of your own.

    Raises: InvalidRequest naming the field.
    """

    orders: tuple[int, ...] = (4, 2, 1)
    """Lengths k of the suffixes looked up, longest first; a match is then extended backwards as far as it agrees."""
    pool: int = 8
    """Continuations pooled for a draft: of siblings and own context, then of history. It bounds what a call costs."""
    sharpness: float = 4.0
    """A continuation whose agreement is a token longer weighs so many times as much."""
    alpha: float = 0.0
    """Of an edge's weight alpha * p + (1 - alpha) * Freq. Used only where the caller gives probabilities p."""
    edits: int = 0
    """Edit distance within which a suffix still matches: 0 is exact, at most 2."""
    own_weight: float = 2.0
    """Of the sample's own context beside a sibling's 1; the prompt is own context too."""
    history_weight: float = 0.1
    """Of finished problems of the same tenant; 0 keeps no history."""
    max_draft: int = 8
    """Tokens of a draft at most; what the caller allows is a bound as well."""
    min_confidence: float = 0.1
    """A draft ends before the token whose estimated probability to be accepted is lower.

    It is the price of a verified token in forward passes: low where the accelerator is far from busy.
    """
    rest_below: float = 0.05
    """A sample of whose lately drafted tokens a smaller share is accepted stops drafting for some passes; 0 never."""
    group_tokens: int = 131_072
    """Tokens remembered of one group; the older half of more is forgotten."""
    history_tokens: int = 65_536
    """Tokens remembered of a tenant's finished groups."""
    total_tokens: int = 524_288
    """Tokens remembered of all groups and histories; groups used longest ago go first. 0.1 to 0.35 kB each."""

    def __post_init__(self) -> None:
        if not self.orders or list(self.orders) != sorted(set(self.orders), reverse=True):
            raise InvalidRequest("orders", "must be falling lengths such as 4,2,1")
        _within("orders", self.orders[-1], 1, LONGEST_AGREEMENT)
        _within("orders", self.orders[0], 1, LONGEST_AGREEMENT)
        _within("pool", self.pool, 1, 256)
        _within("sharpness", self.sharpness, 1.0, 16.0)
        _within("alpha", self.alpha, 0.0, 1.0)
        _within("edits", self.edits, 0, 2)
        _within("own_weight", self.own_weight, 0.0, 100.0)
        _within("history_weight", self.history_weight, 0.0, 100.0)
        _within("max_draft", self.max_draft, 1, 64)
        _within("min_confidence", self.min_confidence, 0.0, 1.0)
        _within("rest_below", self.rest_below, 0.0, 1.0)
        _within("group_tokens", self.group_tokens, 64, 2**31)
        _within("history_tokens", self.history_tokens, 64, 2**31)
        _within("total_tokens", self.total_tokens, self.group_tokens + self.history_tokens, 2**31)


def _within(field: str, value: float, least: float, most: float) -> None:
    if not math.isfinite(value) or not least <= value <= most:
        raise InvalidRequest(field, f"is {value:g}, and must be {least:g}..{most:g}")
