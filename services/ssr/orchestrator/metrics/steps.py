"""Committed steps: their number, time and scores, and the tokens they took."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import Call, CallKind, Mode, Source, Step

#: Of a step, in seconds.
_STEP_SECONDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 12, 20, 40, 120)
#: One for each digit that the target gives.
_SCORES = tuple(range(10))

_DRAFT, _TARGET = "draft", "target"
#: What the draft model's tokens are for is known with the verdict: see `StepMetrics._drafted`.
_KINDS = {
    CallKind.SCORE: "scoring",
    CallKind.REWRITE: "rewritten",
    CallKind.WRITE: "written",
    CallKind.SELECT: "selection",
}


class StepMetrics:
    """Counts decisions that are durable; every token is in one kind only (core/ledger.py)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._steps = Counter("ssr_steps_committed", "Committed steps.", ("mode", "source"), registry=registry)
        self._seconds = Histogram(
            "ssr_step_duration_seconds",
            "From one commit of a path to the next.",
            ("mode",),
            buckets=_STEP_SECONDS,
            registry=registry,
        )
        scores = Histogram(
            "ssr_step_score", "The target's score of a draft.", ("outcome",), buckets=_SCORES, registry=registry
        )
        tokens = Counter("ssr_generated_tokens", "Generated tokens.", ("role", "kind"), registry=registry)
        prompts = Counter("ssr_prompt_tokens", "Prompt tokens.", ("role", "cache"), registry=registry)
        self._accepted_score, self._rewritten_score = (scores.labels(name) for name in ("accepted", "rewritten"))
        self._accepted, self._rejected, self._wasted = (
            tokens.labels(_DRAFT, name) for name in ("accepted", "rejected", "wasted")
        )
        self._by_kind = {kind: tokens.labels(_TARGET, name) for kind, name in _KINDS.items()}
        self._prompts = {
            role: (prompts.labels(role, "hit"), prompts.labels(role, "miss")) for role in (_DRAFT, _TARGET)
        }
        for mode in Mode:  # a rate is seen from the first one on
            self._seconds.labels(mode)
            for source in Source:
                self._steps.labels(mode, source)

    def selected(self, selected: Selected) -> None:
        self._calls(selected.calls)

    def ended(self, ended: PathEnded) -> None:
        self._calls(ended.calls)

    def committed(self, mode: Mode, committed: StepCommitted, seconds: float) -> None:
        """`seconds` since the path's last step, or since it began."""
        step = committed.step
        self._steps.labels(mode, step.source).inc()
        self._seconds.labels(mode).observe(seconds)
        if step.source is Source.DRAFT and step.score is not None:
            self._accepted_score.observe(step.score)
        elif step.draft_score is not None:
            self._rewritten_score.observe(step.draft_score)
        self._drafted(self._calls(committed.calls), step)

    def _drafted(self, tokens: int, step: Step) -> None:
        """Tokens of the draft of a step: they stand, or another step stands in their place."""
        accepted = min(tokens, step.tokens) if step.source is Source.DRAFT else 0
        self._accepted.inc(accepted)
        self._rejected.inc(tokens - accepted)

    def _calls(self, calls: tuple[Call, ...]) -> int:
        """Counts all but the tokens of drafts whose step was judged; gives those."""
        drafted = 0
        for call in calls:
            hit, miss = self._prompts[_DRAFT if call.kind in (CallKind.DRAFT, CallKind.WASTED) else _TARGET]
            hit.inc(call.cached_tokens)
            miss.inc(max(0, call.prompt_tokens - call.cached_tokens))
            if call.kind is CallKind.DRAFT:
                drafted += call.generated_tokens
            else:
                counter = self._wasted if call.kind is CallKind.WASTED else self._by_kind[call.kind]
                counter.inc(call.generated_tokens)
        return drafted
