from __future__ import annotations

import math
from dataclasses import replace

import pytest
from engine_fakes import FakeEngine

from ssr.core.acceptance import ScorerName
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.calibration import Calibration, ScoreEntry
from ssr.core.evidence.curve import Isotonic
from ssr.core.steps import RepeatRule
from ssr.core.types import Options, PathContext, Source, Step, Strategy
from ssr.verifier.verifier import TargetVerifier

CONTEXT = PathContext("job", 0, "What is 1+1?", Strategy("A", "Algebra", "Use x."), ("We add both numbers.",), 7)
DRAFT = Step(1, "1 + 1 = 2.", Source.DRAFT, 8)
OPTIONS = Options(threshold=7.0)
NINE, FIVE = [("9", math.log(0.9)), ("8", math.log(0.1))], [("5", 0.0)]


def verifier(engine: FakeEngine, scorer: ScorerName = ScorerName.EXPECTED) -> TargetVerifier:
    return TargetVerifier(engine, scorer)


async def test_a_good_draft_stands_with_its_score() -> None:
    verdict = await verifier(FakeEngine(tokens=[NINE])).verify(CONTEXT, DRAFT, OPTIONS)
    assert verdict.accepted
    assert (verdict.step.text, verdict.step.source, verdict.step.tokens) == (DRAFT.text, Source.DRAFT, 8)
    assert verdict.step.score == pytest.approx(8.9)
    assert [call.kind for call in verdict.calls] == ["score"]


async def test_a_weak_draft_is_rewritten() -> None:
    verdict = await verifier(FakeEngine(["It is 2."], tokens=[FIVE])).verify(CONTEXT, DRAFT, OPTIONS)
    assert not verdict.accepted
    step = verdict.step
    assert (step.index, step.text, step.source, step.score, step.draft_score) == (
        (1, "It is 2.", Source.REWRITTEN, 9.0, 5.0)
    )
    assert [call.kind for call in verdict.calls] == ["score", "rewrite"]


async def test_the_judge_sees_problem_strategy_work_and_step() -> None:
    engine = FakeEngine(tokens=[NINE])
    await verifier(engine).verify(CONTEXT, DRAFT, OPTIONS)
    for part in (CONTEXT.problem, CONTEXT.strategy.hint, CONTEXT.steps[0], DRAFT.text):
        assert part in engine.prompts[0]


@pytest.mark.parametrize("text", ["", "We  add both NUMBERS."])
async def test_empty_and_repeated_drafts_are_rejected_unseen(text: str) -> None:
    engine = FakeEngine(["It is 2."])
    verdict = await verifier(engine).verify(CONTEXT, Step(1, text, Source.DRAFT, 1), OPTIONS)
    assert not verdict.accepted
    assert verdict.step.draft_score == 0.0
    assert [call.kind for call in verdict.calls] == ["rewrite"]


async def test_a_repeated_draft_is_judged_where_only_consecutive_ones_end_a_path() -> None:
    engine, options = FakeEngine(tokens=[NINE]), replace(OPTIONS, repeat_rule=RepeatRule.CONSECUTIVE)
    verdict = await verifier(engine).verify(CONTEXT, Step(1, CONTEXT.steps[0], Source.DRAFT, 1), options)
    assert verdict.accepted
    assert [call.kind for call in verdict.calls] == ["score"]


@pytest.mark.parametrize(("scorer", "asks_for_use"), [(ScorerName.GREEDY, True), (ScorerName.VALIDITY, False)])
async def test_validity_asks_for_facts_and_logic_alone(scorer: ScorerName, asks_for_use: bool) -> None:
    engine = FakeEngine(tokens=[[("8", -0.2), ("9", -1.7)]])
    verdict = await verifier(engine, scorer).verify(CONTEXT, DRAFT, OPTIONS)
    assert verdict.step.score == 8.0
    assert ("helps to solve" in engine.prompts[0]) == asks_for_use
    assert ("nothing but its facts and its logic" in engine.prompts[0]) != asks_for_use


async def test_a_reply_without_a_digit_is_a_rejection() -> None:
    verdict = await verifier(FakeEngine(["x"], tokens=[[("Well", -0.1)]])).verify(CONTEXT, DRAFT, OPTIONS)
    assert not verdict.accepted


async def test_threshold_0_accepts_all_and_9_nearly_none() -> None:
    low = await verifier(FakeEngine(tokens=[[("0", 0.0)]])).verify(CONTEXT, DRAFT, Options(threshold=0))
    high = await verifier(FakeEngine(["x"], tokens=[NINE])).verify(CONTEXT, DRAFT, Options(threshold=9))
    assert (low.accepted, high.accepted) == (True, False)


@pytest.mark.parametrize(
    ("scorer", "token", "score"),
    [
        ("greedy", [("6", math.log(0.6)), ("9", math.log(0.4))], 6.0),
        ("expected", [("6", math.log(0.5)), ("9", math.log(0.5))], 7.5),
        ("judge", [("Yes", math.log(0.75)), ("No", math.log(0.25))], 6.75),
    ],
)
async def test_a_request_chooses_its_scorer(scorer: str, token: list[tuple[str, float]], score: float) -> None:
    verdict = await verifier(FakeEngine(tokens=[token])).verify(CONTEXT, DRAFT, Options(threshold=0, scorer=scorer))
    assert verdict.step.score == pytest.approx(score)


async def test_an_unknown_scorer_is_named() -> None:
    with pytest.raises(InvalidRequest, match="scorer: 'nope' is unknown; known are expected, greedy, judge"):
        await verifier(FakeEngine()).verify(CONTEXT, DRAFT, Options(scorer="nope"))


CURVES = Calibration(
    scores=(
        ScoreEntry("expected", Isotonic(((0.0, 0.0), (9.0, 0.5)))),
        ScoreEntry("judge", Isotonic(((0.0, 0.0), (9.0, 1.0))), target="another"),
    )
)


async def test_a_calibrated_score_is_nine_times_the_probability() -> None:
    calibrated = TargetVerifier(FakeEngine(["It is 2."], tokens=[NINE]), ScorerName.EXPECTED, calibration=CURVES)
    verdict = await calibrated.verify(CONTEXT, DRAFT, OPTIONS)
    assert not verdict.accepted
    assert verdict.step.draft_score == pytest.approx(8.9 / 2)
    calibrated = TargetVerifier(FakeEngine(tokens=[NINE]), ScorerName.ARITHMETIC_EXPECTED, calibration=CURVES)
    verdict = await calibrated.verify(CONTEXT, DRAFT, replace(OPTIONS, threshold=4.4))
    assert verdict.accepted
    assert verdict.step.score == pytest.approx(8.9 / 2)


async def test_a_false_sum_is_no_score_to_calibrate() -> None:
    level = Calibration(scores=(ScoreEntry("expected", Isotonic(((0.0, 1.0),))),))
    calibrated = TargetVerifier(FakeEngine(["It is 2."]), ScorerName.ARITHMETIC_EXPECTED, calibration=level)
    verdict = await calibrated.verify(CONTEXT, Step(1, "1 + 1 = 3", Source.DRAFT, 8), replace(OPTIONS, threshold=0.0))
    assert (verdict.accepted, verdict.step.draft_score) == (False, 0.0)


async def test_another_models_curve_is_not_used() -> None:
    calibrated = TargetVerifier(
        FakeEngine(tokens=[[("Yes", math.log(0.8)), ("No", math.log(0.2))]]), ScorerName.JUDGE, calibration=CURVES
    )
    assert (await calibrated.verify(CONTEXT, DRAFT, OPTIONS)).step.score == pytest.approx(7.2)
