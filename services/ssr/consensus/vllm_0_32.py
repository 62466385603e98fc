"""vLLM's interface from 0.22 on, read in 0.32: a proposer of one's own is its method "custom_class".

Its runner of the second generation has no such proposers: vLLM takes the first one and says so, and schedules
synchronously. Nothing of vLLM is imported, so that it can be tested without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ssr.consensus.proposer import EngineConfig
from ssr.consensus.vllm_0_20 import Vllm020


class Vllm032(Vllm020):
    """From 0.22, which has `custom_class` first, to 0.32, the newest that this is tried with.

    Its runner calls `propose` as 0.20's does.
    """

    first = (0, 22)
    newest = (0, 32)

    def config(self, vllm_config: Any) -> EngineConfig:
        """What its configuration says.

        The runner does not report to such a proposer how many tokens are scheduled where the batch decides (since
        0.32), so the schedule is read here; a size between two ranges has the tokens of the one before.
        """
        schedule = getattr(vllm_config.speculative_config, "num_speculative_tokens_per_batch_size", None) or ()
        by_rows = tuple((int(first), int(tokens)) for first, _, tokens in schedule)
        return replace(super().config(vllm_config), by_rows=by_rows)
