"""The knobs of a simulated engine. Its answers depend on these and on the request, on nothing else."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ssr.engine_server.simulated.faults import FaultPlan


class Thinking(StrEnum):
    """Whether the model thinks before it answers."""

    NO = "no"
    OPENED = "opened"  #: always: its chat template opens the thinking, as those of QwQ and DeepSeek-R1 do
    OWN = "own"  #: as it likes, which is always: it writes the tag itself, as Qwen3 does


Rate = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quality(_Settings):
    """How good the model is at its work."""

    error_rate: Rate = Field(
        default=0.2, description="Share of written calculations that are wrong, without a strategy."
    )
    blemish_rate: Rate = Field(
        default=0.02,
        description="Share of written steps that are empty, repeated, rambling, or end the turn unanswered.",
    )
    strategy_effect: Rate = Field(
        default=0.6,
        description="How much strategies matter: error_rate varies by this share up and down with the strategy.",
    )
    judge_noise: Rate = Field(
        default=0.12, description="How unsure the judge is: 0 always sees whether a step is right, 1 hardly ever."
    )
    selection_noise: Rate = Field(
        default=0.25,
        description="Standard deviation of the opinion on a strategy's suitability, which runs from 0 to 1.",
    )


class Latency(_Settings):
    """How long the engine takes; the defaults are plausible for one GPU, not measured."""

    time_scale: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Every duration is multiplied by this; 0: no waiting at all (load tests).",
    )
    startup_s: float = Field(
        default=0.0, ge=0, le=3600, description="Loading the model, in seconds, before anything is served."
    )
    prefill_tokens_per_s: float = Field(
        default=20_000, gt=0, description="Prompt tokens per second; prompts are processed one after the other."
    )
    decode_base_s: float = Field(
        default=0.010, ge=0, le=60, description="Seconds for one decoding pass of an empty batch."
    )
    decode_per_request_s: float = Field(
        default=0.0002, ge=0, le=60, description="Seconds that each request in the batch adds to a decoding pass."
    )


class SimulatedSettings(_Settings):
    """One simulated engine: a model, how good and how fast it is, and what goes wrong with it."""

    model_id: str = Field(default="simulated", min_length=1, max_length=200, description="The name that /info returns.")
    parameters: int | None = Field(
        default=None, ge=1, description="Size of the pretended model, in weights, for FLOPs."
    )
    seed: int = Field(default=0, description="Another seed is another model: it errs elsewhere. Replicas share one.")
    thinking: Thinking = Field(default=Thinking.NO, description="no, opened (by the template), or own (by the model).")
    quality: Quality = Field(default_factory=Quality, description="How good the model is.")
    latency: Latency = Field(default_factory=Latency, description="How fast it is.")
    faults: FaultPlan = Field(default_factory=FaultPlan, description="What goes wrong from the start.")
    max_input_tokens: int = Field(default=16_383, ge=1, le=10_000_000, description="Longest prompt, in tokens.")
    max_total_tokens: int = Field(
        default=16_384, ge=2, le=10_000_000, description="Prompt plus generated tokens, a request."
    )
    max_concurrent_requests: int = Field(
        default=128, ge=1, le=100_000, description="Requests beyond this get 429 at once."
    )
    max_batch_size: int = Field(default=64, ge=1, le=100_000, description="Requests decoded together; others wait.")
    max_top_n_tokens: int = Field(
        default=20, ge=0, le=1000, description="Candidates a position; TGI's own default is 5."
    )
    prefix_cache_tokens: int = Field(
        default=1_000_000,
        ge=0,
        le=100_000_000,
        description="Tokens of earlier prompts kept for reuse; 0: no prefix cache.",
    )

    @model_validator(mode="after")
    def _leave_room_for_output(self) -> Self:
        if self.max_input_tokens >= self.max_total_tokens:
            raise ValueError(
                f"max_input_tokens={self.max_input_tokens} must be below max_total_tokens={self.max_total_tokens}"
            )
        return self

    @classmethod
    def draft(cls) -> Self:
        """A small, fast model that errs often."""
        return cls(
            model_id="simulated-draft-1.5B",
            parameters=1_500_000_000,
            quality=Quality(error_rate=0.35, blemish_rate=0.03, judge_noise=0.4, selection_noise=0.6),
            latency=Latency(prefill_tokens_per_s=40_000, decode_base_s=0.006, decode_per_request_s=0.00005),
        )

    @classmethod
    def target(cls) -> Self:
        """A large, slow model that errs seldom."""
        return cls(
            model_id="simulated-target-32B",
            parameters=32_000_000_000,
            quality=Quality(error_rate=0.08, blemish_rate=0.01),
            latency=Latency(prefill_tokens_per_s=6_000, decode_base_s=0.025, decode_per_request_s=0.0003),
        )
