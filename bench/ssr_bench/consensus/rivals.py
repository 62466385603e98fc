"""The drafters that are compared, behind one small face."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from importlib import import_module
from typing import Any, Protocol

from ssr.consensus import ConsensusSettings, Drafter, NativeDrafter, drafter_for
from ssr.core.errors import CapabilityMissing
from ssr_bench.consensus.suffix_tree import SuffixTree


class Rival(Protocol):
    """Drafts for the samples of one problem after the other. Samples have names of their own in the whole replay."""

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None: ...

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None: ...

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]: ...

    def finish(self, sample: Hashable) -> None: ...

    def end(self, problem: str) -> None: ...


class NoDraft:
    """A forward pass for every token."""

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None: ...

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None: ...

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        return ()

    def finish(self, sample: Hashable) -> None: ...

    def end(self, problem: str) -> None: ...


class Ngram(NoDraft):
    """vLLM's `ngram`: what followed the earliest occurrence, in prompt and output, of the longest matching suffix.

    Matches are of `least` to `most` tokens (prompt_lookup_min and prompt_lookup_max).
    """

    def __init__(self, least: int = 2, most: int = 5) -> None:
        self._least, self._most = least, most
        self._texts: dict[Hashable, list[int]] = {}
        self._first: dict[Hashable, dict[tuple[int, ...], int]] = {}  #: where each n-gram first ended

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self._texts[sample], self._first[sample] = [], {}
        self.add(sample, prompt, None)

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        text, first = self._texts[sample], self._first[sample]
        for token in tokens:
            text.append(token)
            for length in range(self._least, min(self._most, len(text)) + 1):
                first.setdefault(tuple(text[-length:]), len(text))

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        text, first = self._texts[sample], self._first[sample]
        for length in range(min(self._most, len(text)), self._least - 1, -1):
            end = first[tuple(text[-length:])]
            if end < len(text):
                return text[end : end + max_tokens]
        return ()

    def finish(self, sample: Hashable) -> None:
        del self._texts[sample], self._first[sample]


class Scan(NoDraft):
    """The obvious way: look through all siblings for the longest suffix, and copy what followed its latest occurrence.

    Its cost grows with all that the group has written, which an index is there to avoid.
    """

    def __init__(self, longest: int = 4) -> None:
        self._longest = longest
        self._texts: dict[Hashable, list[int]] = {}

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self._texts[sample] = list(prompt)

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        self._texts[sample] += tokens

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        mine = self._texts[sample]
        for length in range(min(self._longest, len(mine)), 0, -1):
            suffix = mine[-length:]
            for text in self._texts.values():
                for end in range(len(text) - 1, length - 1, -1):
                    if text[end - 1] == suffix[-1] and text[end - length : end] == suffix:
                        return text[end : end + max_tokens]
        return ()

    def end(self, problem: str) -> None:
        self._texts.clear()


class Suffix(NoDraft):
    """SuffixDecoding (arXiv 2411.04975), our own implementation of what ArcticInference's cache does in vLLM.

    A tree of each running request's prompt and output, and a global one of all outputs, running ones included. From
    every length of match that tree gives the path of greatest count while its probability is at least
    `min_token_prob`, up to `max_spec_factor` x the match's length; the path with the greatest sum of probabilities is
    the draft, the request's own tree first. The global tree never forgets here (vLLM keeps 10,000 requests).
    """

    def __init__(self, max_tree_depth: int = 24, max_spec_factor: float = 1.0, min_token_prob: float = 0.1) -> None:
        self._depth, self._factor, self._least = max_tree_depth, max_spec_factor, min_token_prob
        self._global = SuffixTree(max_tree_depth)
        self._local: dict[Hashable, SuffixTree] = {}
        self._ends: dict[Hashable, list[int]] = {}

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self._local[sample] = SuffixTree(self._depth)
        self._local[sample].extend(sample, prompt)
        self._ends[sample] = list(prompt[-self._depth :])

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        self._local[sample].extend(sample, tokens)
        self._global.extend(sample, tokens)
        self._ends[sample] = [*self._ends[sample], *tokens][-self._depth :]

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        limits = (max_tokens, self._factor, self._least)
        own = self._local[sample].speculate(self._ends[sample], *limits)
        shared = self._global.speculate(self._ends[sample], *limits)
        return shared.tokens if shared.score > own.score else own.tokens

    def finish(self, sample: Hashable) -> None:
        del self._local[sample], self._ends[sample]
        self._global.close(sample)


class ArcticSuffix(NoDraft):
    """SuffixDecoding by ArcticInference itself, where it is installed. Raises: CapabilityMissing where it is not."""

    def __init__(self, max_tree_depth: int = 24, max_spec_factor: float = 1.0, min_token_prob: float = 0.1) -> None:
        try:
            module: Any = import_module("arctic_inference.suffix_decoding")
        except ImportError as error:
            raise CapabilityMissing(f"arctic-inference is not installed: {error}") from error
        self._cache = module.SuffixDecodingCache(max_tree_depth=max_tree_depth, max_cached_requests=10_000)
        self._depth, self._factor, self._least = max_tree_depth, max_spec_factor, min_token_prob
        self._ends: dict[Hashable, list[int]] = {}

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self._cache.start_request(sample, list(prompt))
        self._ends[sample] = list(prompt[-self._depth :])

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        self._cache.add_active_response(sample, list(tokens))
        self._ends[sample] = [*self._ends[sample], *tokens][-self._depth :]

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        draft = self._cache.speculate(
            sample,
            self._ends[sample],
            max_spec_tokens=max_tokens,
            max_spec_factor=self._factor,
            min_token_prob=self._least,
        )
        tokens: list[int] = draft.token_ids
        return tokens

    def finish(self, sample: Hashable) -> None:
        self._cache.stop_request(sample)
        del self._ends[sample]


class ConsensusRival(NoDraft):
    """Ours, in C++ where that is installed: its drafts are the same."""

    def __init__(self, drafter: Drafter | NativeDrafter) -> None:
        self._drafter = drafter

    @classmethod
    def of(cls, settings: ConsensusSettings) -> ConsensusRival:
        return cls(drafter_for(settings))

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self._drafter.start(sample, problem, prompt)

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        self._drafter.add(sample, tokens, probabilities)

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        return self._drafter.draft(sample, max_tokens).tokens

    def finish(self, sample: Hashable) -> None:
        self._drafter.finish(sample)

    def end(self, problem: str) -> None:
        self._drafter.end_group(problem)
