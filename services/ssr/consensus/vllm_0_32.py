"""vLLM's interface from 0.22 on, read in 0.32: a proposer of one's own is its method "custom_class".

Its runner of the second generation has no such proposers: vLLM takes the first one and says so, and schedules
synchronously. Nothing of vLLM is imported, so that it can be tested without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssr.consensus.proposer import EngineConfig, EngineStep, TokenRow


class Vllm032:
    """From 0.22, which has `custom_class` first, to 0.32, the newest that this is tried with."""

    first = (0, 22)
    newest = (0, 32)

    def config(self, vllm_config: Any) -> EngineConfig:
        """What its configuration says.

        The runner does not tell such a proposer how many tokens are scheduled where that depends on the batch (since
        0.32), so the schedule is read here; a size between two ranges has the tokens of the one before.
        """
        speculative = vllm_config.speculative_config
        schedule = getattr(speculative, "num_speculative_tokens_per_batch_size", None) or ()
        return EngineConfig(
            draft_tokens=int(speculative.num_speculative_tokens),
            model_tokens=int(vllm_config.model_config.max_model_len),
            rank=int(vllm_config.parallel_config.rank),
            workers=int(vllm_config.parallel_config.tensor_parallel_size),
            by_rows=tuple((int(first), int(tokens)) for first, _, tokens in schedule),
        )

    def step(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: Sequence[int],
        token_ids_cpu: Sequence[TokenRow],
        slot_mappings: object = None,
    ) -> EngineStep:
        """The arguments of its runner's call of `propose`."""
        return EngineStep(sampled_token_ids, num_tokens_no_spec, token_ids_cpu)
