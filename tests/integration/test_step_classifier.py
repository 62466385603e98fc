"""A real classifier as a process reward model: fitted weights, real HTTP, verdicts better than chance on other
problems."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_fakes import FakeEngine
from step_classifier import Draft, StepClassifier, recorded_drafts, serving_classifier

from ssr.core.acceptance import ScorerName
from ssr.core.types import MAX_SCORE, NO_STRATEGY, Options, PathContext, Source, Step
from ssr.verifier.reward_scorer import RewardApi, RewardSettings, open_reward_model
from ssr.verifier.verifier import TargetVerifier
from ssr_bench.evaluation.score_curves import ScoredStep, fitted_curve
from ssr_bench.evaluation.statistics import auc


@pytest.fixture(scope="module")
def halves() -> tuple[StepClassifier, list[list[Draft]]]:
    """Fitted to the first half of the problems, and the drafts of the other half."""
    problems = recorded_drafts()
    middle = len(problems) // 2
    return StepClassifier.fitted([draft for drafts in problems[:middle] for draft in drafts]), problems[middle:]


@pytest.mark.parametrize("api", list(RewardApi))
async def test_its_verdicts_on_other_problems_are_better_than_chance(
    api: RewardApi, halves: tuple[StepClassifier, list[list[Draft]]]
) -> None:
    classifier, problems = halves
    drafts = [draft for drafts in problems for draft in drafts]
    async with (
        serving_classifier(classifier) as url,
        open_reward_model(RewardSettings(url=url, api=api, model="steps")) as model,
    ):
        assert model is not None
        scores = [await model.right(draft.problem, draft.steps) for draft in drafts]
    found = auc(scores, [draft.right for draft in drafts])
    assert found is not None
    assert found > 0.65


async def test_a_verifier_takes_what_it_finds_right_and_has_the_rest_written_again(
    halves: tuple[StepClassifier, list[list[Draft]]],
) -> None:
    classifier, problems = halves
    verdicts, options = [], Options(threshold=0.2 * MAX_SCORE, scorer=ScorerName.REWARD)
    async with (
        serving_classifier(classifier) as url,
        open_reward_model(RewardSettings(url=url, api=RewardApi.CLASSIFY, model="steps")) as model,
    ):
        verifier = TargetVerifier(FakeEngine(["Again."] * 200), ScorerName.JUDGE, model)
        for draft in (draft for drafts in problems for draft in drafts):
            context = PathContext("job", 0, draft.problem, NO_STRATEGY, draft.steps[:-1], 1)
            step = Step(len(draft.steps) - 1, draft.steps[-1], Source.DRAFT, 9)
            verdict = await verifier.verify(context, step, options)
            score = verdict.step.score if verdict.accepted else verdict.step.draft_score
            assert score is not None
            assert score == pytest.approx(MAX_SCORE * classifier.right(draft.problem, draft.steps), abs=1e-6)
            assert verdict.accepted is (score >= options.threshold)
            verdicts.append((draft.right, verdict.accepted))
    accepted = [right for right, accepted in verdicts if accepted]
    rejected = [right for right, accepted in verdicts if not accepted]
    assert len(accepted) >= 20
    assert len(rejected) >= 20
    assert sum(accepted) / len(accepted) > sum(rejected) / len(rejected) + 0.2


def test_its_scores_become_probabilities(halves: tuple[StepClassifier, list[list[Draft]]]) -> None:
    classifier, problems = halves
    scored = [
        ScoredStep(str(number), MAX_SCORE * classifier.right(draft.problem, draft.steps), draft.right)
        for number, drafts in enumerate(problems)
        for draft in drafts
    ]
    fitted = fitted_curve(scored)
    assert fitted is not None
    assert fitted.reliability.brier.value < fitted.reliability.constant
    squashed = [replace(one, score=4 + one.score / 9) for one in scored]
    again = fitted_curve(squashed)
    assert again is not None
    assert again.curve.chance(5.0) > again.curve.chance(4.0) + 0.1
