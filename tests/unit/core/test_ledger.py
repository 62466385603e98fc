"""The ledger against a job added up by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssr.core.ledger import Ledger
from ssr.core.types import Call, CallKind, Source, Step

DRAFT, TARGET = ("draft-1B", 10**9), ("target-10B", 10**10)


def call(kind: CallKind, model: tuple[str, int], prompt: int, cached: int, generated: int) -> Call:
    return Call(kind, *model, prompt_tokens=prompt, cached_tokens=cached, generated_tokens=generated)


@pytest.fixture
def ledger() -> Ledger:
    """Two paths: one accepted step each, then the first path has a draft of 30 tokens rewritten with 40."""
    steps = [
        (
            0,
            [call(CallKind.DRAFT, DRAFT, 100, 0, 20), call(CallKind.SCORE, TARGET, 150, 0, 1)],
            Step(0, "a", Source.DRAFT, 20, 8.0),
        ),
        (
            1,
            [call(CallKind.DRAFT, DRAFT, 100, 90, 10), call(CallKind.SCORE, TARGET, 140, 100, 1)],
            Step(0, "b", Source.DRAFT, 10, 7.5),
        ),
        (
            0,
            [
                call(CallKind.DRAFT, DRAFT, 120, 110, 30),
                call(CallKind.SCORE, TARGET, 180, 150, 1),
                call(CallKind.REWRITE, TARGET, 120, 0, 40),
            ],
            Step(1, "c", Source.REWRITTEN, 40, 9.0, draft_score=2.0),
        ),
    ]
    ledger = Ledger().add([call(CallKind.SELECT, TARGET, 200, 0, 1)])
    for path, calls, step in steps:
        ledger = ledger.add(calls, step, path=path)
    return ledger


def test_tokens_by_kind(ledger: Ledger) -> None:
    usage = ledger.usage()
    assert (usage.drafted_tokens, usage.accepted_tokens, usage.rejected_tokens) == (60, 30, 30)
    assert (usage.rewritten_tokens, usage.scoring_tokens, usage.selection_tokens, usage.written_tokens) == (40, 3, 1, 0)
    assert (usage.accepted_steps, usage.rewritten_steps) == (2, 1)


def test_seconds_on_engines_are_summed_by_what_they_were_for() -> None:
    kinds = (CallKind.SELECT, CallKind.DRAFT, CallKind.WASTED, CallKind.SCORE, CallKind.REWRITE, CallKind.WRITE)
    calls = [
        replace(call(kind, TARGET, 1, 0, 1), engine_s=float(10**power))
        for power, kind in enumerate(kinds)
        for _ in range(2)
    ]
    usage = Ledger().add(calls[:5]).add(calls[5:]).usage()
    assert (usage.selection_engine_s, usage.draft_engine_s, usage.target_engine_s) == (2.0, 220.0, 222_000.0)


def test_seconds_of_which_a_call_lacks_its_own_are_unknown() -> None:
    timed = replace(call(CallKind.DRAFT, DRAFT, 1, 0, 1), engine_s=2.0)
    usage = Ledger().add([timed, call(CallKind.WASTED, DRAFT, 1, 0, 1), timed]).add([timed]).usage()
    assert (usage.draft_engine_s, usage.target_engine_s) == (None, 0.0)


def test_tokens_by_model(ledger: Ledger) -> None:
    draft, target = ledger.usage().models
    assert (draft.model, draft.calls, draft.prompt_tokens, draft.cached_tokens, draft.generated_tokens) == (
        ("draft-1B", 3, 320, 200, 60)
    )
    assert (target.calls, target.prompt_tokens, target.cached_tokens, target.generated_tokens) == (5, 790, 250, 44)


def test_flops(ledger: Ledger) -> None:
    assert ledger.decode_flops == pytest.approx(2e9 * 60 + 2e10 * 44)
    assert ledger.total_flops == pytest.approx(2e9 * (320 - 200 + 60) + 2e10 * (790 - 250 + 44))


def test_ratios_to_the_estimated_baseline(ledger: Ledger) -> None:
    # 70 committed tokens on two paths: the target alone would write 35, after an opening prompt of 100.
    assert ledger.baseline_tokens == 35
    assert ledger.decode_ratio == pytest.approx(ledger.decode_flops / (2e10 * 35))
    assert ledger.total_ratio == pytest.approx(ledger.total_flops / (2e10 * 135))


def test_the_target_alone_has_ratio_one() -> None:
    step = Step(0, "a", Source.TARGET, 50)
    ledger = Ledger().add([call(CallKind.WRITE, TARGET, 100, 0, 50)], step)
    assert ledger.decode_ratio == 1
    assert ledger.total_ratio == 1
    assert ledger.usage().written_tokens == 50


def test_no_ratio_without_the_models_sizes_or_steps() -> None:
    unknown = Ledger().add([call(CallKind.WRITE, ("x", 0), 10, 0, 5)], Step(0, "a", Source.TARGET, 5))
    assert unknown.decode_ratio is None
    assert unknown.total_ratio is None
    assert Ledger().decode_ratio is None


def test_waste_is_drafted_and_neither_accepted_nor_rejected(ledger: Ledger) -> None:
    wasted = [call(CallKind.WASTED, DRAFT, 200, 100, 25)]
    opening = Step(0, "d", Source.REWRITTEN, 5, 9.0, draft_score=1.0)
    usage = ledger.add([call(CallKind.DRAFT, DRAFT, 100, 90, 4), *wasted], opening, path=0).usage()
    assert (usage.drafted_tokens, usage.wasted_tokens) == (60 + 4 + 25, 25)
    assert (usage.accepted_tokens, usage.rejected_tokens) == (30, 34)
    assert usage.total_flops == pytest.approx(ledger.total_flops + 2e9 * (100 - 90 + 4 + 200 - 100 + 25))
    assert ledger.add(wasted, opening).opening_tokens == 100, "a draft ahead does not open a path"
    assert ledger.add(wasted).target == "target-10B"


def test_adding_leaves_the_earlier_ledger_as_it_was(ledger: Ledger) -> None:
    before = ledger.usage()
    ledger.add([call(CallKind.DRAFT, DRAFT, 1, 0, 1)])
    assert ledger.usage() == before


def test_the_papers_quantities(ledger: Ledger) -> None:
    usage = ledger.usage()
    assert (usage.draft_token_flops, usage.target_token_flops) == (2e9, 2e10)
    assert usage.rewrite_rate == pytest.approx(1 / 3)
    # Two paths, each token drafted for a tenth, a third of the steps written again; one token to select, 35 a path.
    assert usage.gamma_without_spm == pytest.approx(2 * (0.1 + 1 / 3))
    assert usage.gamma == pytest.approx(2 * (0.1 + 1 / 3) + 1 / 35)


def test_gamma_counts_what_the_target_writes_alone_as_the_baseline_does() -> None:
    alone = Ledger().add([call(CallKind.WRITE, TARGET, 100, 0, 50)], Step(0, "a", Source.TARGET, 50), path=0)
    assert (alone.usage().gamma, alone.usage().gamma_without_spm, alone.usage().rewrite_rate) == (1.0, 1.0, None)
    both = alone.add([call(CallKind.DRAFT, DRAFT, 100, 0, 150)], Step(0, "b", Source.DRAFT, 150), path=1)
    assert both.usage().gamma == pytest.approx(2 * (0.75 * 0.1 + 0.25))


def test_no_gamma_without_the_models_sizes() -> None:
    unknown = Ledger().add([call(CallKind.WRITE, ("x", 0), 10, 0, 5)], Step(0, "a", Source.TARGET, 5), path=0).usage()
    assert (unknown.gamma, unknown.target_token_flops, unknown.draft_token_flops) == (None, None, None)
    assert Ledger().usage().gamma is None
