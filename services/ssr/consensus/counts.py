"""What became of the drafts: drafted and accepted tokens, by position and by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from ssr.consensus.draft import Draft
from ssr.consensus.source import Source

_Key = TypeVar("_Key", int, Source)


class Counts:
    """Since the start of the process."""

    def __init__(self) -> None:
        self.passes = 0  #: verified: with and without a draft
        self.tokens = 0  #: that they yielded
        self.failures = 0  #: steps in which drafting failed and nothing was proposed
        self.drafted_at: Counter[int] = Counter()
        self.accepted_at: Counter[int] = Counter()
        self.drafted_of: Counter[Source] = Counter()
        self.accepted_of: Counter[Source] = Counter()

    def note(self, draft: Draft, written: Sequence[int]) -> None:
        """A pass verified `draft` and yielded `written`, the model's own token last."""
        self.passes += 1
        self.tokens += len(written)
        accepted = 0
        while accepted < min(len(draft), len(written) - 1) and draft.tokens[accepted] == written[accepted]:
            accepted += 1
        for position, source in enumerate(draft.sources):
            self.drafted_at[position] += 1
            self.drafted_of[source] += 1
            if position < accepted:
                self.accepted_at[position] += 1
                self.accepted_of[source] += 1

    def __str__(self) -> str:
        parts = [f"{self.tokens / max(1, self.passes):.2f} tokens a pass in {self.passes} passes"]
        parts += [
            _told("position", self.drafted_at, self.accepted_at),
            _told("source", self.drafted_of, self.accepted_of),
        ]
        return "; ".join(parts) + (f"; {self.failures} failures" if self.failures else "")


def _told(name: str, drafted: Counter[_Key], accepted: Counter[_Key]) -> str:
    told = ", ".join(f"{key} {accepted[key]}/{drafted[key]}" for key in sorted(drafted))
    return f"accepted by {name}: {told or 'none'}"
