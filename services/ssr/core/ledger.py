"""What a job cost: tokens by kind and model, FLOPs, and how they compare with the baseline's.

FLOPs = 2 x parameters x tokens. `decode_ratio` counts generated tokens; `total_ratio` all tokens that a model had to
process, the prefill of verification included, but for prompt tokens that the job's own earlier calls had left in the
cache (`core.prefixes`). The baseline is an estimate: the target alone writing one path as long as this job's mean path,
after the same opening prompt. `gamma` is a formula in the paper's quantities (`Ledger.gamma`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ssr.core.prefixes import SELECTION, Prefixes
from ssr.core.types import Call, CallKind, Source, Step


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The tokens one model processed, in so many engine calls. `parameters` 0: size unknown.

    `cached_tokens` of the prompts the engine reports as cached; `reused_tokens` of them are there because of the job
    itself, `estimated_tokens` of these by our own accounting, because the engine does not report.
    """

    model: str
    parameters: int
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    reused_tokens: int = 0
    estimated_tokens: int = 0

    def add(self, call: Call, reused: int) -> ModelUsage:
        return replace(
            self,
            calls=self.calls + (not call.continued),
            prompt_tokens=self.prompt_tokens + call.prompt_tokens,
            cached_tokens=self.cached_tokens + call.cached_tokens,
            generated_tokens=self.generated_tokens + call.generated_tokens,
            reused_tokens=self.reused_tokens + reused,
            estimated_tokens=self.estimated_tokens + (reused if call.cache_unreported else 0),
        )

    @property
    def flops_per_token(self) -> float:
        return 2.0 * self.parameters

    @property
    def decode_flops(self) -> float:
        return self.flops_per_token * self.generated_tokens

    @property
    def total_flops(self) -> float:
        return self.flops_per_token * (self.prompt_tokens - self.reused_tokens + self.generated_tokens)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job cost, as reported: tokens by what they were generated for, FLOPs, ratios to the baseline.

    Beside them the paper's quantities: FLOPs of a token of the draft model and of the target, the share of judged steps
    that were rewritten (R), and gamma (`Ledger.gamma`). None: unknown, or of no meaning in this mode.

    `draft_engine_s`, `target_engine_s` and `selection_engine_s` are the seconds for which its calls held places on
    engines (`Call.engine_s`): drafts, those thrown away included; scores, rewrites and what the target wrote alone;
    the selection of strategies. None where a call of them was not measured.
    """

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
    draft_token_flops: float | None = None
    target_token_flops: float | None = None
    rewrite_rate: float | None = None
    gamma: float | None = None
    gamma_without_spm: float | None = None
    draft_engine_s: float | None = None
    target_engine_s: float | None = None
    selection_engine_s: float | None = None

    @property
    def timed(self) -> bool:
        """Whether all its calls were measured on their engines."""
        return None not in (self.draft_engine_s, self.target_engine_s, self.selection_engine_s)

    @property
    def estimated_tokens(self) -> int:
        """Prompt tokens that count as cached by our own accounting alone."""
        return sum(model.estimated_tokens for model in self.models)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The cost of a job so far; `add` makes the next one.

    `models` is keyed by the model's name, `generated` and `engine_s` by what the tokens were generated for and the
    seconds on engines spent (None: a call was not measured); `committed_tokens` are
    those of the steps that stand, on `paths` paths, and `thinking_tokens` those of them inside a model's thinking;
    `target` is the model that judges and writes, `draft` the one that drafts, `opening_tokens` the prompt of a path's
    first step, `target_written_tokens` those of steps that the target wrote alone, `shared_tokens` those that paths
    have from others (`core.repair`).
    """

    models: dict[str, ModelUsage] = field(default_factory=dict)
    generated: dict[CallKind, int] = field(default_factory=dict)
    engine_s: dict[CallKind, float | None] = field(default_factory=dict)
    accepted_tokens: int = 0
    accepted_steps: int = 0
    rewritten_steps: int = 0
    committed_tokens: int = 0
    thinking_tokens: int = 0
    paths: int = 0
    opening_tokens: int = 0
    target: str = ""
    draft: str = ""
    target_written_tokens: int = 0
    shared_tokens: int = 0
    prefixes: Prefixes = Prefixes()  # noqa: RUF009 - frozen

    def add(
        self, calls: Sequence[Call], step: Step | None = None, thinking_tokens: int = 0, path: int = SELECTION
    ) -> Ledger:
        """Account for calls, and for the step of a path that they led to, if any.

        `thinking_tokens` of the step are thinking.
        """
        models, generated, target, draft = dict(self.models), dict(self.generated), self.target, self.draft
        seconds = dict(self.engine_s)
        rewritten = step is not None and step.source is Source.REWRITTEN
        reused, prefixes = self.prefixes.after(path, calls, rewritten=rewritten)
        for call, found in zip(calls, reused, strict=True):
            models[call.model] = models.get(call.model, ModelUsage(call.model, call.parameters)).add(call, found)
            generated[call.kind] = generated.get(call.kind, 0) + call.generated_tokens
            before = seconds.get(call.kind, 0.0)
            seconds[call.kind] = None if before is None or call.engine_s is None else before + call.engine_s
            if call.kind in (CallKind.DRAFT, CallKind.WASTED):
                draft = call.model
            else:
                target = call.model
        ledger = replace(
            self,
            models=models,
            generated=generated,
            engine_s=seconds,
            target=target,
            draft=draft,
            prefixes=prefixes,
        )
        return ledger if step is None else ledger._commit(step, calls, thinking_tokens)

    def _commit(self, step: Step, calls: Sequence[Call], thinking_tokens: int) -> Ledger:
        accepted = step.source is Source.DRAFT
        opening = max((c.prompt_tokens for c in calls if c.kind in (CallKind.DRAFT, CallKind.WRITE)), default=0)
        return replace(
            self,
            accepted_tokens=self.accepted_tokens + (step.tokens if accepted else 0),
            accepted_steps=self.accepted_steps + accepted,
            rewritten_steps=self.rewritten_steps + (step.source is Source.REWRITTEN),
            committed_tokens=self.committed_tokens + step.tokens,
            target_written_tokens=self.target_written_tokens + (step.tokens if step.source is Source.TARGET else 0),
            shared_tokens=self.shared_tokens + (step.tokens if step.source is Source.SHARED else 0),
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

    @property
    def rewrite_rate(self) -> float | None:
        """R: the share of the judged steps that the target wrote again; None where none was judged."""
        judged = self.accepted_steps + self.rewritten_steps
        return self.rewritten_steps / judged if judged else None

    def gamma(self, *, selection: bool) -> float | None:
        """Decoding against the baseline's, in the paper's quantities; None where a model's size is unknown.

        gamma = N x ((1 - w - u) x (F_d / F_t + R) + w) + S / T

        N paths; F_d and F_t FLOPs of a token of the draft model and the target; R `rewrite_rate`; w the share of the
        committed tokens that the target wrote alone, u that of `shared_tokens`, which cost nothing; S the tokens that
        selecting took (left out without `selection`); T `baseline_tokens`. The formula is ours: the authors publish
        figures, not theirs. It takes every step for as long as any other and leaves scoring out; `decode_ratio` counts
        tokens as they were, of all calls.
        """
        target, draft = self.models.get(self.target), self.models.get(self.draft)
        sizes = [model for model in (target, draft) if model is not None]
        if target is None or not self.baseline_tokens or not all(model.parameters for model in sizes):
            return None
        alone, shared = (part / self.committed_tokens for part in (self.target_written_tokens, self.shared_tokens))
        drafted = (draft.flops_per_token / target.flops_per_token if draft else 0.0) + (self.rewrite_rate or 0.0)
        selected = self.generated.get(CallKind.SELECT, 0) / self.baseline_tokens if selection else 0.0
        return self.paths * ((1 - alone - shared) * drafted + alone) + selected

    def _engine_s(self, *kinds: CallKind) -> float | None:
        """Seconds on engines of calls of these kinds; None where one was not measured."""
        known = [seconds for kind in kinds if (seconds := self.engine_s.get(kind, 0.0)) is not None]
        return sum(known) if len(known) == len(kinds) else None

    def _token_flops(self, model: str) -> float | None:
        found = self.models.get(model)
        return found.flops_per_token if found and found.parameters else None

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
            draft_token_flops=self._token_flops(self.draft),
            target_token_flops=self._token_flops(self.target),
            rewrite_rate=self.rewrite_rate if self.draft else None,
            gamma=self.gamma(selection=True),
            gamma_without_spm=self.gamma(selection=False),
            draft_engine_s=self._engine_s(CallKind.DRAFT, CallKind.WASTED),
            target_engine_s=self._engine_s(CallKind.SCORE, CallKind.REWRITE, CallKind.WRITE),
            selection_engine_s=self._engine_s(CallKind.SELECT),
        )
