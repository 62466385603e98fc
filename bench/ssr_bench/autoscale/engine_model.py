"""The engines of each pool: how fast they are, and how long a job keeps a slot of them busy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.engines.load import Pool
from ssr_bench.autoscale.pace import Pace

#: What each request in a batch adds to the time of a token, as a part of it.
_CROWDING = 0.02


class UsedTokens(Protocol):
    """What a model processed for a job: an entry of its ledger, or of the message that reports it."""

    @property
    def model(self) -> str: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def generated_tokens(self) -> int: ...


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A replica: `slots` requests at a time, `token_s` seconds for a token of one alone, `prefill_tokens_per_s`.

    A simulated step has some 16 tokens where a model's has hundreds, so a token takes that much longer here.
    """

    pool: Pool
    slots: int
    token_s: float
    prefill_tokens_per_s: float

    @property
    def model_id(self) -> str:
        return f"simulated-{self.pool}"

    @property
    def slot_tokens_per_s(self) -> float:
        """Tokens a second of one slot, in a batch that is as full as it should be."""
        return 1.0 / self.token_s_in(self.slots)

    def settings(self, pace: Pace) -> SimulatedSettings:
        """A replica that runs at `pace`."""
        role = SimulatedSettings.draft() if self.pool is Pool.DRAFT else SimulatedSettings.target()
        latency = role.latency.model_copy(
            update={
                "time_scale": pace.real_s(1.0),
                "prefill_tokens_per_s": self.prefill_tokens_per_s,
                "decode_base_s": self.token_s,
                "decode_per_request_s": self.token_s * _CROWDING,
            }
        )
        return role.model_copy(update={"model_id": self.model_id, "latency": latency, "max_batch_size": self.slots})

    def slot_seconds(self, models: Iterable[UsedTokens]) -> float:
        """How long a job's calls keep a slot of this pool busy, from the tokens of its ledger."""
        used = [model for model in models if model.model == self.model_id]
        prefilled = sum(model.prompt_tokens - model.cached_tokens for model in used)
        generated = sum(model.generated_tokens for model in used)
        return prefilled / self.prefill_tokens_per_s + generated / self.slot_tokens_per_s

    def token_s_in(self, batch: int) -> float:
        """Seconds for a token of each of the `batch` requests that are decoded together."""
        return self.token_s * (1 + _CROWDING * (batch - 1))


#: A draft of a step takes 3.5 s, a score 0.7 s, a rewrite 9 s.
ENGINES: Mapping[Pool, EngineModel] = MappingProxyType(
    {
        Pool.DRAFT: EngineModel(Pool.DRAFT, slots=4, token_s=0.2, prefill_tokens_per_s=4_000),
        Pool.TARGET: EngineModel(Pool.TARGET, slots=4, token_s=0.6, prefill_tokens_per_s=2_000),
    }
)
