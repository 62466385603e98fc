"""Which continuations a draft is made of: those behind the sample's suffix, the longest matches first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from ssr.consensus.agreement import agreement, fuzzy_agreement
from ssr.consensus.dag import Continuation
from ssr.consensus.draft import DraftSource
from ssr.consensus.memory import SuffixMemory, Text
from ssr.consensus.settings import LONGEST_AGREEMENT, ConsensusSettings

#: Owns a group's prompt, which is the own context of all its samples.
PROMPT: Hashable = object()

#: Of the pool, one part is for history at least, the rest only where the group leaves room.
_HISTORY_PART = 3


def pooled(
    settings: ConsensusSettings, suffix: list[int], sample: Hashable, group: SuffixMemory, history: SuffixMemory | None
) -> list[Continuation]:
    """Up to `settings.pool` continuations from the group; from history what is left of it, a third at least."""
    pool = []
    for text, place, agreed in _matches(settings, suffix, sample, group, settings.pool):
        own = text.owner is PROMPT or text.owner == sample
        weight, source = (settings.own_weight, DraftSource.OWN) if own else (1.0, DraftSource.SIBLING)
        if weight:
            pool.append(Continuation(text, place, agreed, weight, source))
    if history is not None and settings.history_weight:
        rest = max(settings.pool - len(pool), settings.pool // _HISTORY_PART)
        for text, place, agreed in _matches(settings, suffix, None, history, rest):
            pool.append(Continuation(text, place, agreed, settings.history_weight, DraftSource.HISTORY))
    return pool


def _matches(
    settings: ConsensusSettings, suffix: list[int], sample: Hashable, memory: SuffixMemory, most: int
) -> Iterator[tuple[Text, int, int]]:
    """Text, place and length of agreement of the best matches in `memory`: none twice, `most` of them."""
    seen: set[tuple[int, int]] = set()
    for text, place in _occurrences(settings, suffix, sample, memory):
        found = (id(text), place)
        if found in seen or place >= len(text.tokens):
            continue
        seen.add(found)
        if settings.edits:
            agreed = fuzzy_agreement(suffix, text.tokens, place, LONGEST_AGREEMENT, settings.edits)
        else:
            agreed = agreement(suffix, text.tokens, place, LONGEST_AGREEMENT)
        if agreed > 0:
            yield text, place, agreed
        if len(seen) >= most:
            return


def _occurrences(
    settings: ConsensusSettings, suffix: list[int], sample: Hashable, memory: SuffixMemory
) -> Iterator[tuple[Text, int]]:
    """Places behind the suffix, from its longest order to the shortest; then those an edit of the last token away."""
    for order in settings.orders:
        if order <= len(suffix):
            yield from memory.find(suffix, order)
    if not settings.edits:
        return
    before = suffix[:-1]
    for order in settings.orders:
        if order <= len(before):
            for text, place in memory.find(before, order):
                yield text, place + 1  # they have another token in the place of our last
                if text.owner != sample or place + 1 < len(text.tokens):  # it is not our last token itself
                    yield text, place  # or none there
