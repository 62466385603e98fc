"""What became of the drafts: drafted and accepted tokens, by position and by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from ssr.consensus.draft import Draft, DraftSource

_Key = TypeVar("_Key", int, DraftSource)


class DraftCounts:
    """Since the start of the process."""

    def __init__(self) -> None:
        self.passes = 0  #: verified: with and without a draft
        self.tokens = 0  #: that they yielded
        self.failures = 0  #: steps in which drafting failed and nothing was proposed
        self.rested = 0  #: steps without drafts because they would cost more than they gain
        self.seconds = 0.0  #: that drafting took
        self.drafted: Counter[tuple[int, DraftSource]] = Counter()  #: tokens by their position in the draft, and source
        self.accepted: Counter[tuple[int, DraftSource]] = Counter()

    def note(self, draft: Draft, written: Sequence[int]) -> None:
        """A pass verified `draft` and yielded `written`, the model's own token last."""
        self.passes += 1
        self.tokens += len(written)
        if not draft.tokens:
            return
        accepted = 0
        while accepted < min(len(draft), len(written) - 1) and draft.tokens[accepted] == written[accepted]:
            accepted += 1
        for position, source in enumerate(draft.sources):
            self.drafted[position, source] += 1
            if position < accepted:
                self.accepted[position, source] += 1

    def __str__(self) -> str:
        parts = [f"{self.tokens / max(1, self.passes):.2f} tokens a pass in {self.passes} passes"]
        parts += [
            _reported("position", by_position(self.drafted), by_position(self.accepted)),
            _reported("source", by_source(self.drafted), by_source(self.accepted)),
        ]
        return "; ".join(parts) + (
            (f"; drafting rested in {self.rested} steps" if self.rested else "")
            + (f"; {self.failures} failures" if self.failures else "")
        )


def by_position(counts: Counter[tuple[int, DraftSource]]) -> Counter[int]:
    """The sums over the sources."""
    sums: Counter[int] = Counter()
    for (position, _), tokens in counts.items():
        sums[position] += tokens
    return sums


def by_source(counts: Counter[tuple[int, DraftSource]]) -> Counter[DraftSource]:
    """The sums over the positions."""
    sums: Counter[DraftSource] = Counter()
    for (_, source), tokens in counts.items():
        sums[source] += tokens
    return sums


def _reported(name: str, drafted: Counter[_Key], accepted: Counter[_Key]) -> str:
    reported = ", ".join(f"{key} {accepted[key]}/{drafted[key]}" for key in sorted(drafted))
    return f"accepted by {name}: {reported or 'none'}"
