"""The drafter as vLLM's proposer: vllm serve ... --speculative-config '{"method": "custom_class",
"model": "ssr.consensus.vllm.ConsensusProposer", "num_speculative_tokens": 8}'. Settings: SSR_CONSENSUS_*.

vLLM calls `propose` once a step with its table of tokens, a row for each running request. It tells no request ids and
of no end: requests are told apart by their content (`rows`), belong together by their prompts (`prompts`), and have
ended when they were in no batch for some time. Until then one may be preempted and come back. vLLM verifies drafts
exactly; a failure here costs drafts, never a request.

Nothing of vLLM is imported, so that it can be tested without.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any, Protocol

from ssr.consensus.counts import Counts
from ssr.consensus.draft import Draft
from ssr.consensus.drafter import Drafter
from ssr.consensus.environment import settings_from
from ssr.consensus.prompts import PromptGroup, PromptGroups
from ssr.consensus.rows import Request, Rows
from ssr.core.errors import NotFound

_logger = logging.getLogger(__name__)

#: Steps between two looks for what has ended.
_SWEEP_STEPS = 64


class TokenRow(Protocol):
    """A row of token ids, as a NumPy array of 32-bit integers is."""

    def __getitem__(self, part: slice, /) -> TokenRow: ...

    def tobytes(self) -> bytes: ...

    def tolist(self) -> list[int]: ...


@dataclass(slots=True, eq=False)
class _Followed(Request):
    """A request under its name in the drafter."""

    name: int
    group: PromptGroup
    draft: Draft = field(default_factory=Draft)


class ConsensusProposer:
    """See the module. `environment` and `clock` are for tests; vLLM gives the first argument alone."""

    def __init__(
        self, vllm_config: Any, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = monotonic
    ) -> None:
        settings, self._settings = settings_from(environment)
        self._most = int(vllm_config.speculative_config.num_speculative_tokens)
        self._longest = int(vllm_config.model_config.max_model_len)
        self._drafter = Drafter(settings)
        self._rows: Rows[_Followed] = Rows()
        self._groups = PromptGroups(self._settings.prefix_share, self._settings.prefix_tokens)
        self._names = count()
        self._clock = clock
        self._steps = 0
        self._logged_s = clock()
        self.counts = Counts()

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
        try:
            self._begin_step(len(sampled_token_ids))
            return [
                self._propose(row, sampled, int(num_tokens_no_spec[row]), token_ids_cpu[row]) if len(sampled) else []
                for row, sampled in enumerate(sampled_token_ids)
            ]
        except Exception:
            self.counts.failures += 1
            _logger.exception("no drafts in this step")
            return [[] for _ in sampled_token_ids]

    def _propose(self, row: int, sampled: Sequence[int], length: int, tokens: TokenRow) -> list[int]:
        before = tokens[: length - len(sampled)].tobytes()
        found = self._rows.find(row, before)
        written = tokens[length - len(sampled) : length]
        if found is not None and found.name in self._drafter:
            followed = found
            self.counts.note(followed.draft, sampled)
        else:
            if found is not None:  # the drafter lacked room to remember it
                self._end([found])
            followed = self._start(before, tokens[: length - len(sampled)].tolist())
        self._drafter.add(followed.name, written.tolist())
        self._rows.put(row, followed, written.tobytes(), self._clock())
        followed.draft = self._drafter.draft(followed.name, min(self._most, self._longest - length - 1))
        return list(followed.draft.tokens)

    def _start(self, before: bytes, prompt: list[int]) -> _Followed:
        """Follow a request from now on."""
        group = self._groups.join(before)
        followed = _Followed(bytearray(before), self._clock(), next(self._names), group)
        self._drafter.start(followed.name, group.name, prompt)
        return followed

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

    def _end(self, requests: list[_Followed]) -> None:
        """They have finished, were aborted, or are forgotten."""
        self._rows.forget(requests)
        for one in requests:
            self._groups.leave(one.group, self._clock())
            if one.name in self._drafter:
                self._drafter.finish(one.name)
