"""A step with a false equation is rejected before any model is asked."""

from __future__ import annotations

from ssr.core.arithmetic import false_claim, has_own_arithmetic
from ssr.core.types import MAX_SCORE, PathContext
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
