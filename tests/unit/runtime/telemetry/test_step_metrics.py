"""What is counted of decisions is what the ledger says of them."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from ssr.core.run import Run, Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Call, CallKind, Mode, Source, Step, choices
from ssr.orchestrator.metrics.steps import StepMetrics


def call(kind: CallKind, tokens: int, prompt: int = 100, cached: int = 40) -> Call:
    model = "small" if kind in (CallKind.DRAFT, CallKind.WASTED) else "large"
    return Call(kind, model, 1, prompt, cached, tokens)


DECISIONS: tuple[Selected | StepCommitted, ...] = (
    Selected((NO_STRATEGY,), (call(CallKind.SELECT, 1),)),
    StepCommitted(0, Step(0, "a", Source.DRAFT, 10, 8.0), (call(CallKind.DRAFT, 10), call(CallKind.SCORE, 1))),
    StepCommitted(
        0,
        Step(1, "b", Source.REWRITTEN, 12, 9.0, draft_score=3.0),
        (
            call(CallKind.DRAFT, 9),
            call(CallKind.SCORE, 1),
            call(CallKind.REWRITE, 12),
            call(CallKind.WASTED, 7, prompt=30, cached=50),  # an engine that counts oddly
        ),
    ),
    StepCommitted(0, Step(2, "c", Source.TARGET, 5), (call(CallKind.WRITE, 5),)),
)


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = StepMetrics(registry)
    for decision in DECISIONS:
        if isinstance(decision, Selected):
            metrics.selected(decision)
        else:
            metrics.committed(Mode.SSR, decision, 0.5)
    return registry


def test_tokens_are_the_ledgers(registry: CollectorRegistry) -> None:
    run = Run()
    for decision in DECISIONS:
        run = run.apply(decision)
    usage = run.ledger.usage()

    def tokens(role: str, kind: str) -> float | None:
        return registry.get_sample_value("ssr_generated_tokens_total", {"role": role, "kind": kind})

    assert tokens("draft", "accepted") == usage.accepted_tokens == 10
    assert tokens("draft", "rejected") == usage.rejected_tokens == 9
    assert tokens("draft", "wasted") == usage.wasted_tokens == 7
    assert tokens("target", "rewritten") == usage.rewritten_tokens == 12
    assert tokens("target", "written") == usage.written_tokens == 5
    assert tokens("target", "scoring") == usage.scoring_tokens == 2
    assert tokens("target", "selection") == usage.selection_tokens == 1


def test_prompts_are_reported_by_whether_they_were_processed(registry: CollectorRegistry) -> None:
    def prompts(role: str, cache: str) -> float | None:
        return registry.get_sample_value("ssr_prompt_tokens_total", {"role": role, "cache": cache})

    assert (prompts("draft", "hit"), prompts("draft", "miss")) == (40 + 40 + 50, 60 + 60 + 0)
    assert (prompts("target", "hit"), prompts("target", "miss")) == (5 * 40, 5 * 60)


def test_steps_and_scores(registry: CollectorRegistry) -> None:
    def steps(source: Source) -> float | None:
        return registry.get_sample_value("ssr_steps_committed_total", {"mode": "ssr", "source": source})

    assert [steps(source) for source in choices(Source)] == [1, 1, 1, 0], "none was shared"
    scores = {"outcome": "accepted"}, {"outcome": "rewritten"}
    assert [registry.get_sample_value("ssr_step_score_sum", of) for of in scores] == [8.0, 3.0]
    assert registry.get_sample_value("ssr_step_duration_seconds_sum", {"mode": "ssr"}) == 1.5
