"""The samples of one problem, and what they have written: nothing outside its group finds it, until the group ends."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ssr.consensus.memory import SuffixMemory
from ssr.consensus.pooling import PROMPT
from ssr.consensus.sample import DraftedSample
from ssr.consensus.settings import ConsensusSettings


class Group:
    """Of one tenant. `samples` are those that run; of the `finished` ones only what they wrote is kept."""

    def __init__(self, tenant: Hashable, settings: ConsensusSettings) -> None:
        self.tenant = tenant
        self.samples: dict[Hashable, DraftedSample] = {}
        self.finished = 0
        self._settings = settings
        self._prompt: Sequence[int] = ()
        self.memory = self._empty()

    def begin(self, name: Hashable, sample: DraftedSample, prompt: Sequence[int], known: int) -> None:
        """Add a sample. The group's first prompt is remembered as everybody's context.

        What another prompt has beyond that, and beyond its first `known` tokens, is remembered as its sample's text.
        """
        self.samples[name] = sample
        if self._prompt:
            known = max(known, _common(self._prompt, prompt))
        else:
            self._prompt, known = tuple(prompt), len(prompt)
            self.memory.append(PROMPT, prompt)
        self.memory.begin(sample, prompt[:known])
        self.memory.append(sample, prompt[known:])

    def finish(self, name: Hashable) -> None:
        """The sample asks for no more drafts; what it wrote stays."""
        del self.samples[name]
        self.finished += 1

    def remove(self, name: Hashable) -> None:
        """Forget a running sample and all that it wrote."""
        self.memory.forget(self.samples.pop(name))

    def written(self) -> list[list[int]]:
        """What the samples wrote, without prompts."""
        return [text.tokens for text in self.memory.texts() if text.owner is not PROMPT]

    def clear(self) -> None:
        """Forget what was written; the samples stay."""
        self.memory = self._empty()

    def _empty(self) -> SuffixMemory:
        return SuffixMemory(self._settings.orders, self._settings.group_tokens, self._settings.pool)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common beginning."""
    length = min(len(first), len(second))
    if list(first[:length]) == list(second[:length]):
        return length
    return next(place for place in range(length) if first[place] != second[place])
