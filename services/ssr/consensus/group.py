"""The samples of one problem, and what they have written: nothing outside its group finds it, until the group ends."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ssr.consensus.memory import Memory
from ssr.consensus.pooling import PROMPT
from ssr.consensus.sample import Sample
from ssr.consensus.settings import ConsensusSettings


class Group:
    """Of one tenant. `samples` are those that run; of the `finished` ones only what they wrote is kept."""

    def __init__(self, tenant: Hashable, settings: ConsensusSettings) -> None:
        self.tenant = tenant
        self.samples: dict[Hashable, Sample] = {}
        self.finished = 0
        self._settings = settings
        self._prompt: Sequence[int] = ()
        self.memory = self._empty()

    def begin(self, name: Hashable, sample: Sample, prompt: Sequence[int]) -> None:
        """Add a sample. What its prompt has that the group's first prompt had not is remembered as well."""
        self.samples[name] = sample
        known = _common(self._prompt, prompt)
        self._prompt = self._prompt or tuple(prompt)
        self.memory.append(PROMPT, prompt[known:])
        self.memory.begin(sample, prompt)

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

    def _empty(self) -> Memory:
        return Memory(self._settings.orders, self._settings.group_tokens, self._settings.pool)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common beginning."""
    length = min(len(first), len(second))
    if list(first[:length]) == list(second[:length]):
        return length
    return next(place for place in range(length) if first[place] != second[place])
