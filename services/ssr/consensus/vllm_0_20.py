"""vLLM 0.20's interface. There is no way to a proposer of one's own, but ngram's reads the same table.

A plug-in (`vllm.register`) takes that one's place where the speculative config asks for it: {"method": "ngram",
"model": "ssr.consensus.vllm.ConsensusProposer", "num_speculative_tokens": 8}. vLLM leaves the model of "ngram" unread.
Nothing of vLLM is imported, so that it can be tested without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ssr.consensus.proposer import EngineConfig, EngineStep, TokenRow


class Vllm020:
    """From 0.20 to the last version whose runner knows no proposers of others."""

    first = (0, 20)

    def config(self, vllm_config: Any) -> EngineConfig:
        """What its configuration says."""
        return EngineConfig(
            draft_tokens=int(vllm_config.speculative_config.num_speculative_tokens),
            model_tokens=int(vllm_config.model_config.max_model_len),
            rank=int(vllm_config.parallel_config.rank),
            workers=int(vllm_config.parallel_config.tensor_parallel_size),
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


def take_place(module: Any, model: str, proposer: Callable[[Any], Any]) -> None:
    """Let `module`.NgramProposer be `proposer` where the speculative config's model is `model`; once is enough.

    The runner asks whether its proposer is an NgramProposer, so the one in its place is a subclass.
    """
    if getattr(module.NgramProposer, "in_place_of_ngram", False):
        return
    ngram: Any = module.NgramProposer

    class InPlace(ngram):  # type: ignore[misc]  # a class of vLLM's, which is not known here
        in_place_of_ngram = True

        def __init__(self, vllm_config: Any, *more: Any, **named: Any) -> None:
            if vllm_config.speculative_config.model == model:
                ours = proposer(vllm_config)
                self.propose, self.load_model = ours.propose, ours.load_model
            else:
                super().__init__(vllm_config, *more, **named)

    module.NgramProposer = InPlace
