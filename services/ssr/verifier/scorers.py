"""The scorers by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import cast

from ssr.core.acceptance import DIGITS, YES_NO, ScorerName, expected_digit, greedy_digit, yes_score
from ssr.core.arithmetic import false_claim, has_own_arithmetic
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.core.prompts import QUALITY_QUESTION, VALIDITY_QUESTION, YES_NO_QUESTION
from ssr.core.types import MAX_SCORE, PathContext
from ssr.verifier.likelihood_scorer import LikelihoodScorer
from ssr.verifier.question_scorer import QuestionScorer
from ssr.verifier.reward_scorer import RewardScorer
from ssr.verifier.scoring import JudgedStep, Judgement, Scorer


class ArithmeticScorer:
    """Rejects steps with a false equation; `other` judges the rest, and without one they all stand.

    Where the problem has an arithmetic of its own, nothing is rejected.
    """

    def __init__(self, other: Scorer | None = None) -> None:
        self._other = other

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`. Costs no engine call of its own."""
        if not has_own_arithmetic(context.problem) and (claim := false_claim(step)) is not None:
            return Judgement(0.0, rejection=f"false equation: {claim}")
        return await self._other.judge(context, step, target) if self._other else Judgement(MAX_SCORE)


class NoScorer:
    """Lets every step stand."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`; raises nothing."""
        return Judgement(MAX_SCORE)


#: Those that are one part; siblings of `agreement` are for the orchestrator to ask.
_SCORERS: Mapping[ScorerName, Scorer] = MappingProxyType(
    {
        ScorerName.EXPECTED: QuestionScorer(QUALITY_QUESTION, "Digit: ", DIGITS, expected_digit),
        ScorerName.GREEDY: QuestionScorer(QUALITY_QUESTION, "Digit: ", DIGITS, greedy_digit),
        ScorerName.VALIDITY: QuestionScorer(VALIDITY_QUESTION, "Digit: ", DIGITS, greedy_digit),
        ScorerName.JUDGE: QuestionScorer(YES_NO_QUESTION, "", YES_NO, yes_score),
        ScorerName.LIKELIHOOD: LikelihoodScorer(),
        ScorerName.ARITHMETIC: ArithmeticScorer(),
        ScorerName.REWARD: RewardScorer(),
        ScorerName.NONE: NoScorer(),
        ScorerName.AGREEMENT: ArithmeticScorer(QuestionScorer(YES_NO_QUESTION, "", YES_NO, yes_score)),
    }
)


@cache
def scorer_named(name: str) -> Scorer:
    """The scorer; none has a state of its own. Raises: InvalidRequest for an unknown one."""
    if name in found_methods(MethodKind.SCORER):
        return cast("Scorer", method_named(MethodKind.SCORER, name))
    if (scorer := _SCORERS.get(ScorerName.named(name))) is not None:
        return scorer
    first, other = ScorerName.named(name).parts
    return scorer_named(other) if first is ScorerName.AGREEMENT else ArithmeticScorer(scorer_named(other))
