"""The drafter as vLLM's proposer: vllm serve ... --speculative-config '{"method": "custom_class",
"model": "ssr.consensus.vllm.ConsensusProposer", "num_speculative_tokens": 8}'. Settings: SSR_CONSENSUS_*.

vLLM calls `propose` once a step with its table of tokens, a row for each running request. It gives no request ids and
no end: requests are distinguished by their content (`rows`), belong together by their prompts (`prompts`), and have
ended when they were in no batch for some time. Until then one may be preempted and come back. vLLM verifies drafts
exactly; a failure here costs drafts, never a request.

Nothing of vLLM is imported, so that it can be tested without.
"""

from __future__ import annotations

import logging
import os
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from ssr.consensus.counts import DraftCounts
from ssr.consensus.draft import Draft, PassRow
from ssr.consensus.economy import PassEconomy
from ssr.consensus.environment import settings_from
from ssr.consensus.marker import marker_tokens
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

    def tolist(self) -> list[int]: ...


@dataclass(slots=True, eq=False)
class _Seen(Request):
    """A request, and from its second step on the name that it has in the drafter.

    Many requests want one token: reading their prompts in would cost time and room, and gain nothing.
    """

    prompt_bytes: int
    name: int | None = None
    group: PromptGroup | None = None
    draft: Draft = field(default_factory=Draft)


class ConsensusProposer:
    """See the module. `environment`, `clock` and `tokenize` are for tests; vLLM gives the first argument alone."""

    def __init__(
        self,
        vllm_config: Any,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = monotonic,
        tokenize: Callable[[Any, str], list[int]] = marker_tokens,
    ) -> None:
        settings, self._settings = settings_from(environment)
        self._most = int(vllm_config.speculative_config.num_speculative_tokens)
        self._longest = int(vllm_config.model_config.max_model_len)
        self._drafter = drafter_for(settings)
        self._rows: Rows[_Seen] = Rows()
        until = self._settings.group_until
        marker = array("i", tokenize(vllm_config.model_config, until) if until else []).tobytes()
        self._groups = PromptGroups(self._settings.prefix_share, self._settings.prefix_tokens, marker)
        self._names = count()
        self._clock = clock
        self._steps = 0
        # Workers of one model have clocks of their own, and are to propose the same.
        alone = int(vllm_config.parallel_config.tensor_parallel_size) == 1
        self._economy = PassEconomy(self._settings.min_gain if alone else 0.0)
        self._drafting = True
        self._began_s: float | None = None  #: when the last step was asked about
        self._logged_s = clock()
        self.counts = DraftCounts()
        self._metrics = ProposerMetrics(CollectorRegistry()) if exposed(environment, vllm_config) else None

    def load_model(self, *_args: object, **_kwargs: object) -> None:
        """Part of vLLM's contract: there is no model to load."""

    def propose(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: Sequence[int],
        token_ids_cpu: Sequence[TokenRow],
        slot_mappings: object = None,
    ) -> list[list[int]]:
        """A draft of 0..k tokens for each row.

        `sampled_token_ids` are what the step yielded for each row: none while its prompt is being read. The first
        `num_tokens_no_spec` of a row in `token_ids_cpu` are its prompt and output, these tokens included.
        """
        begun_s = self._clock()
        try:
            self._begin_step(len(sampled_token_ids))
            drafting = self._weigh(sampled_token_ids, begun_s)
            drafts: list[list[int]] = [[] for _ in sampled_token_ids]
            asked: list[tuple[int, _Seen, PassRow]] = []
            for row, sampled in enumerate(sampled_token_ids):
                if len(sampled):
                    most = min(self._most, self._longest - int(num_tokens_no_spec[row]) - 1) if drafting else 0
                    request, written = self._meet(row, sampled, int(num_tokens_no_spec[row]), token_ids_cpu[row], most)
                    if written is not None:
                        asked.append((row, request, written))
            found = self._drafter.run_pass([one for _, _, one in asked], budget=self._settings.pass_budget or None)
            for (row, request, _), draft in zip(asked, found, strict=True):
                request.draft, drafts[row] = draft, list(draft.tokens)
            self.counts.seconds += self._clock() - begun_s
            if self._metrics is not None:
                self._metrics.report(self.counts)
            return drafts
        except Exception:
            self.counts.failures += 1
            _logger.exception("no drafts in this step")
            return [[] for _ in sampled_token_ids]

    def _weigh(self, sampled: Sequence[Sequence[int]], now_s: float) -> bool:
        """Note what the pass since the last call came to, and decide whether the next one has drafts."""
        yielded = [len(one) for one in sampled if len(one)]
        if self._began_s is not None:
            self._economy.observe(len(yielded), self._drafting, sum(yielded), now_s - self._began_s)
        self._drafting = self._economy.drafts(len(yielded))
        self._began_s = now_s
        self.counts.rested += bool(yielded) and not self._drafting
        return self._drafting

    def _meet(
        self, row: int, sampled: Sequence[int], length: int, tokens: TokenRow, most: int
    ) -> tuple[_Seen, PassRow | None]:
        """Whose row it is, and what it asks of the drafter, if anything yet."""
        before = tokens[: length - len(sampled)].tobytes()
        written = tokens[length - len(sampled) : length]
        request = self._rows.find(row, before)
        if request is None:
            request = _Seen(bytearray(before), self._clock(), len(before))
            follow = self._groups.knows(before)
        else:
            self.counts.note(request.draft, sampled)
            if request.name is not None and request.name not in self._drafter:  # there was no room to remember it
                request = self._again(request, before)
            follow = request.name is None
        if follow:
            self._follow(request)
        self._rows.put(row, request, written.tobytes(), self._clock())
        if request.name is None:
            return request, None
        return request, PassRow(request.name, written.tolist(), most)

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

    def _again(self, request: _Seen, before: bytes) -> _Seen:
        """The request as one that is met for the first time."""
        self._end([request])
        return _Seen(bytearray(before), self._clock(), len(before))

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


def _tokens(content: bytes) -> list[int]:
    return array("i", content).tolist()
