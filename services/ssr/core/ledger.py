"""What a job cost: tokens by kind and model, FLOPs, and two ratios to the baseline.

FLOPs = 2 x parameters x tokens. `decode_ratio` counts generated tokens only (the paper's view); `total_ratio` counts
all tokens a model had to process, the prefill of verification included, cached prompt tokens excluded. The baseline is
an estimate: the target alone writing one path as long as this job's mean path, after the same opening prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ssr.core.types import Call, CallKind, Source, Step


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The tokens one model processed, in so many engine calls. `parameters` 0: size unknown."""

    model: str
    parameters: int
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0

    def add(self, call: Call) -> ModelUsage:
        return replace(
            self,
            calls=self.calls + (not call.continued),
            prompt_tokens=self.prompt_tokens + call.prompt_tokens,
            cached_tokens=self.cached_tokens + call.cached_tokens,
            generated_tokens=self.generated_tokens + call.generated_tokens,
        )

    @property
    def decode_flops(self) -> float:
        return 2.0 * self.parameters * self.generated_tokens

    @property
    def total_flops(self) -> float:
        return 2.0 * self.parameters * (self.prompt_tokens - self.cached_tokens + self.generated_tokens)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job cost, as reported: tokens by what they were generated for, FLOPs, ratios to the baseline."""

    models: tuple[ModelUsage, ...] = ()
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    rejected_tokens: int = 0
    wasted_tokens: int = 0
    rewritten_tokens: int = 0
    written_tokens: int = 0
    scoring_tokens: int = 0
    selection_tokens: int = 0
    thinking_tokens: int = 0
    accepted_steps: int = 0
    rewritten_steps: int = 0
    decode_flops: float = 0.0
    total_flops: float = 0.0
    decode_ratio: float | None = None
    total_ratio: float | None = None
    baseline_tokens: float = 0.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The cost of a job so far; `add` makes the next one.

    `models` is keyed by the model's name, `generated` by what the tokens were generated for; `committed_tokens` are
    those of the steps that stand, on `paths` paths, and `thinking_tokens` those of them inside a model's thinking;
    `target` is the model that judges and writes, and `opening_tokens` the prompt of a path's first step.
    """

    models: dict[str, ModelUsage] = field(default_factory=dict)
    generated: dict[CallKind, int] = field(default_factory=dict)
    accepted_tokens: int = 0
    accepted_steps: int = 0
    rewritten_steps: int = 0
    committed_tokens: int = 0
    thinking_tokens: int = 0
    paths: int = 0
    opening_tokens: int = 0
    target: str = ""

    def add(self, calls: Iterable[Call], step: Step | None = None, thinking_tokens: int = 0) -> Ledger:
        """Account for calls, and for the step they led to, if any, and how many of its tokens are thinking."""
        models, generated, target = dict(self.models), dict(self.generated), self.target
        for call in calls:
            models[call.model] = models.get(call.model, ModelUsage(call.model, call.parameters)).add(call)
            generated[call.kind] = generated.get(call.kind, 0) + call.generated_tokens
            if call.kind not in (CallKind.DRAFT, CallKind.WASTED):
                target = call.model
        ledger = replace(self, models=models, generated=generated, target=target)
        return ledger if step is None else ledger._commit(step, calls, thinking_tokens)

    def _commit(self, step: Step, calls: Iterable[Call], thinking_tokens: int) -> Ledger:
        accepted = step.source is Source.DRAFT
        opening = max((c.prompt_tokens for c in calls if c.kind in (CallKind.DRAFT, CallKind.WRITE)), default=0)
        return replace(
            self,
            accepted_tokens=self.accepted_tokens + (step.tokens if accepted else 0),
            accepted_steps=self.accepted_steps + accepted,
            rewritten_steps=self.rewritten_steps + (step.source is Source.REWRITTEN),
            committed_tokens=self.committed_tokens + step.tokens,
            thinking_tokens=self.thinking_tokens + thinking_tokens,
            paths=self.paths + (step.index == 0),
            opening_tokens=max(self.opening_tokens, opening) if step.index == 0 else self.opening_tokens,
        )

    @property
    def generated_tokens(self) -> int:
        """By all models, for whatever purpose."""
        return sum(self.generated.values())

    @property
    def drafted_tokens(self) -> int:
        """By the draft model, for whatever became of them."""
        return self.generated.get(CallKind.DRAFT, 0) + self.wasted_tokens

    @property
    def rejected_tokens(self) -> int:
        return self.drafted_tokens - self.wasted_tokens - self.accepted_tokens

    @property
    def wasted_tokens(self) -> int:
        """Drafted behind a step that was then rewritten, and never scored; see `core.ahead`."""
        return self.generated.get(CallKind.WASTED, 0)

    @property
    def decode_flops(self) -> float:
        return sum(model.decode_flops for model in self.models.values())

    @property
    def total_flops(self) -> float:
        return sum(model.total_flops for model in self.models.values())

    @property
    def baseline_tokens(self) -> float:
        """Generated tokens of the estimated baseline: those of this job's mean path."""
        return self.committed_tokens / self.paths if self.paths else 0.0

    @property
    def decode_ratio(self) -> float | None:
        """decode_flops over the estimated baseline's; None where a model's size or the baseline is unknown."""
        return self._ratio(self.decode_flops, self.baseline_tokens)

    @property
    def total_ratio(self) -> float | None:
        """total_flops over the estimated baseline's; None where a model's size or the baseline is unknown."""
        return self._ratio(self.total_flops, self.baseline_tokens + self.opening_tokens)

    def _ratio(self, flops: float, baseline_tokens: float) -> float | None:
        target = self.models.get(self.target)
        if target is None or not baseline_tokens or not all(model.parameters for model in self.models.values()):
            return None
        return flops / (2.0 * target.parameters * baseline_tokens)

    def usage(self) -> Usage:
        """The ledger as it is reported."""
        return Usage(
            models=tuple(sorted(self.models.values(), key=lambda model: model.model)),
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
            rejected_tokens=self.rejected_tokens,
            wasted_tokens=self.wasted_tokens,
            rewritten_tokens=self.generated.get(CallKind.REWRITE, 0),
            written_tokens=self.generated.get(CallKind.WRITE, 0),
            scoring_tokens=self.generated.get(CallKind.SCORE, 0),
            selection_tokens=self.generated.get(CallKind.SELECT, 0),
            thinking_tokens=self.thinking_tokens,
            accepted_steps=self.accepted_steps,
            rewritten_steps=self.rewritten_steps,
            decode_flops=self.decode_flops,
            total_flops=self.total_flops,
            decode_ratio=self.decode_ratio,
            total_ratio=self.total_ratio,
            baseline_tokens=self.baseline_tokens,
        )
