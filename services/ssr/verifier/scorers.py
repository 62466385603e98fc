"""The scorers by name."""

from __future__ import annotations

from functools import cache
from typing import cast

from ssr.core.acceptance import ScorerName, expected_digit, greedy_digit, yes_score
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.core.prompts import DIGIT_QUESTION, YES_NO_QUESTION
from ssr.core.types import MAX_SCORE, PathContext
from ssr.verifier.arithmetic_scorer import ArithmeticScorer
from ssr.verifier.likelihood_scorer import LikelihoodScorer
from ssr.verifier.question_scorer import QuestionScorer
from ssr.verifier.reward_scorer import RewardScorer
from ssr.verifier.scoring import JudgedStep, Judgement, Scorer


class NoScorer:
    """Lets every step stand."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`; raises nothing."""
        return Judgement(MAX_SCORE)


@cache
def scorer_named(name: str) -> Scorer:
    """The scorer; none has a state of its own. Raises: InvalidRequest for an unknown one."""
    if name in found_methods(MethodKind.SCORER):
        return cast("Scorer", method_named(MethodKind.SCORER, name))
    match ScorerName.named(name):
        case ScorerName.EXPECTED:
            return QuestionScorer(DIGIT_QUESTION, "Digit: ", expected_digit)
        case ScorerName.GREEDY:
            return QuestionScorer(DIGIT_QUESTION, "Digit: ", greedy_digit)
        case ScorerName.JUDGE:
            return QuestionScorer(YES_NO_QUESTION, "", yes_score)
        case ScorerName.LIKELIHOOD:
            return LikelihoodScorer()
        case ScorerName.ARITHMETIC:
            return ArithmeticScorer()
        case ScorerName.REWARD:
            return RewardScorer()
        case ScorerName.NONE:
            return NoScorer()
        case ScorerName.AGREEMENT:
            return scorer_named(ScorerName.ARITHMETIC_JUDGE)  # siblings are for the orchestrator to ask
    first, other = ScorerName.named(name).parts
    return scorer_named(other) if first is ScorerName.AGREEMENT else ArithmeticScorer(scorer_named(other))
