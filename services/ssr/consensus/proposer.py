"""Drafts for each step of an engine that gives its table of tokens, a row for each running request.

There are no request ids and there is no end: requests are distinguished by their content (`rows`), belong together by
their prompts (`prompts`), and have ended when they were in no batch for some time. Until then one may be preempted and
come back. The engine verifies drafts exactly; a failure here costs drafts, never a request. What differs between
engines and their versions is with who calls this (`vllm`).
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Protocol

from prometheus_client import CollectorRegistry

from ssr.consensus.counts import DraftCounts
from ssr.consensus.draft import Draft, PassRow
from ssr.consensus.economy import PassEconomy
from ssr.consensus.environment import settings_from
from ssr.consensus.metrics import ProposerMetrics, exposed
from ssr.consensus.native import drafter_for
from ssr.consensus.prompts import TOKEN_BYTES, PromptGroup, PromptGroups, common_tokens
from ssr.consensus.rows import Request, Rows
from ssr.core.errors import NotFound

#: Below vLLM's own logger: vLLM gives no other one a handler, and lines of others that are no warnings are lost.
_logger = logging.getLogger("vllm.ssr.consensus")

#: Steps between two looks for what has ended.
_SWEEP_STEPS = 64


class TokenRow(Protocol):
    """A row of token ids, as a NumPy array of 32-bit integers is."""

    def __getitem__(self, part: slice, /) -> TokenRow: ...

    def tobytes(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the proposer is to know of its engine.

    A draft has at most `draft_tokens`, or, by the number of rows, those of the last (rows from, tokens) of `by_rows`; a
    request at most `model_tokens`. `rank` is this process's of all, `workers` the tensor-parallel ones of a model.
    """

    draft_tokens: int
    model_tokens: int
    rank: int = 0
    workers: int = 1
    by_rows: tuple[tuple[int, int], ...] = ()

    def draft_tokens_of(self, rows: int) -> int:
        """The most of a draft in a step of so many rows."""
        chosen = [tokens for first, tokens in sorted(self.by_rows) if first <= rows]
        return min(chosen[-1], self.draft_tokens) if chosen else self.draft_tokens


@dataclass(frozen=True, slots=True)
class EngineStep:
    """`sampled` are what the step yielded for each row: none while its prompt is being read.

    The first `lengths` of a row in `tokens` are its prompt and output, these tokens included. Both may have more rows.
    """

    sampled: Sequence[Sequence[int]]
    lengths: Sequence[int]
    tokens: Sequence[TokenRow]


@dataclass(slots=True, eq=False)
class _Seen(Request):
    """A request, and from its second step on the name that it has in the drafter.

    Many requests want one token: reading their prompts in would cost time and room, and gain nothing.
    """

    prompt_bytes: int
    name: int | None = None
    group: PromptGroup | None = None
    draft: Draft = field(default_factory=Draft)


class Proposer:
    """See the module. `tokenize` gives the tokens of a text at the beginning of a line. Raises: InvalidRequest."""

    def __init__(
        self,
        engine: EngineConfig,
        tokenize: Callable[[str], list[int]],
        environment: Mapping[str, str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        settings, self._settings = settings_from(environment)
        self._engine = engine
        self._drafter = drafter_for(settings)
        self._rows: Rows[_Seen] = Rows()
        until = self._settings.group_until
        marker = array("i", tokenize(until) if until else []).tobytes()
        self._groups = PromptGroups(self._settings.prefix_share, self._settings.prefix_tokens, marker)
        self._names = count()
        self._clock = clock
        self._steps = 0
        # Workers of one model have clocks of their own, and are to propose the same.
        self._economy = PassEconomy(self._settings.min_gain if engine.workers == 1 else 0.0)
        self._drafting = True
        self._began_s: float | None = None  #: when the last step was asked about
        self._logged_s = clock()
        self.counts = DraftCounts()
        expose = exposed(environment, engine.rank, engine.workers)
        self._metrics = ProposerMetrics(CollectorRegistry()) if expose else None

    def propose(self, step: EngineStep) -> list[list[int]]:
        """A draft of 0..k tokens for each row. Never raises: a failure is counted and logged, and yields no drafts."""
        begun_s = self._clock()
        try:
            drafts = self._drafts(step, begun_s)
            self.counts.seconds += self._clock() - begun_s
            if self._metrics is not None:
                self._metrics.report(self.counts)
            return drafts
        except Exception:
            self.counts.failures += 1
            _logger.exception("no drafts in this step")
            return [[] for _ in step.sampled]

    def _drafts(self, step: EngineStep, now_s: float) -> list[list[int]]:
        self._begin_step(len(step.sampled))
        drafting = self._weigh(step.sampled, now_s)
        longest = self._engine.draft_tokens_of(len(step.sampled)) if drafting else 0
        drafts: list[list[int]] = [[] for _ in step.sampled]
        asked: list[tuple[int, _Seen, PassRow]] = []
        for row, (sampled, length) in enumerate(zip(step.sampled, _numbers(step.lengths), strict=False)):
            if len(sampled):
                request = self._meet(row, sampled, step.tokens[row][: length - len(sampled)].tobytes(), now_s)
                if request.name is not None:
                    most = min(longest, self._engine.model_tokens - length - 1)
                    asked.append((row, request, PassRow(request.name, sampled, most)))
        found = self._drafter.run_pass([one for _, _, one in asked], budget=self._settings.pass_budget or None)
        for (row, request, _), draft in zip(asked, found, strict=True):
            request.draft, drafts[row] = draft, list(draft.tokens)
        return drafts

    def _weigh(self, sampled: Sequence[Sequence[int]], now_s: float) -> bool:
        """Note what the pass since the last call came to, and decide whether the next one has drafts."""
        yielded = [len(one) for one in sampled if len(one)]
        if self._began_s is not None:
            self._economy.observe(len(yielded), self._drafting, sum(yielded), now_s - self._began_s)
        self._drafting = self._economy.drafts(len(yielded))
        self._began_s = now_s
        self.counts.rested += bool(yielded) and not self._drafting
        return self._drafting

    def _meet(self, row: int, sampled: Sequence[int], before: bytes, now_s: float) -> _Seen:
        """Whose row it is; it has a name where it asks the drafter."""
        request = self._rows.find(row, before)
        if request is None:
            request = _Seen(bytearray(before), now_s, len(before))
            follow = self._groups.knows(before)
        else:
            self.counts.note(request.draft, sampled)
            if request.name is not None and request.name not in self._drafter:  # there was no room to remember it
                request = self._again(request, before, now_s)
            follow = request.name is None
        if follow:
            self._follow(request)
        self._rows.put(row, request, array("i", sampled).tobytes(), now_s)
        return request

    def _follow(self, request: _Seen) -> None:
        """Give the drafter what the request has up to now."""
        content = bytes(request.content)
        prompt = content[: request.prompt_bytes]
        group = self._groups.join(prompt)
        known = self._known(group, prompt)
        request.name, request.group = next(self._names), group
        self._drafter.start(request.name, group.name, _tokens(prompt), known=known)
        self._drafter.add(request.name, _tokens(content[request.prompt_bytes :]))

    def _known(self, group: PromptGroup, prompt: bytes) -> int:
        """How many of the prompt's first tokens another request of the group has.

        A path that is written step by step is a request for each step, whose prompt is what the path has so far.
        """
        best = 0
        for one in self._rows:
            if one.group is group and one.content.startswith(prompt[: (best + 1) * TOKEN_BYTES]):
                best = common_tokens(one.content, prompt)
        return best

    def _again(self, request: _Seen, before: bytes, now_s: float) -> _Seen:
        """The request as one that is met for the first time."""
        self._end([request])
        return _Seen(bytearray(before), now_s, len(before))

    def _begin_step(self, rows: int) -> None:
        self._rows.begin_step(rows)
        self._steps += 1
        if self._steps % _SWEEP_STEPS:
            return
        now_s = self._clock()
        self._end([one for one in self._rows if one.seen_s < now_s - self._settings.request_idle_s])
        for group in self._groups.end_idle(now_s - self._settings.group_idle_s):
            with suppress(NotFound):  # forgotten for lack of room
                self._drafter.end_group(group.name)
        if self._settings.log_s and now_s - self._logged_s >= self._settings.log_s:
            self._logged_s = now_s
            _logger.info("consensus drafting: %s", self.counts)

    def _end(self, requests: list[_Seen]) -> None:
        """They have finished, were aborted, or are forgotten."""
        self._rows.forget(requests)
        for one in requests:
            if one.group is not None:
                self._groups.leave(one.group, self._clock())
            if one.name is not None and one.name in self._drafter:
                self._drafter.finish(one.name)


def _numbers(lengths: Sequence[int]) -> list[int]:
    """All at once: an element of a NumPy array costs as much as a slice of it."""
    read: list[int] = lengths.tolist() if hasattr(lengths, "tolist") else list(lengths)
    return read


def _tokens(content: bytes) -> list[int]:
    return array("i", content).tolist()
