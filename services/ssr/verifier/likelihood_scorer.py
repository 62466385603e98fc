"""How probable the target finds a step as its own next one."""

from __future__ import annotations

from ssr.core.acceptance import likelihood_score
from ssr.core.errors import CapabilityMissing
from ssr.core.prompts import solving
from ssr.core.steps import join_path
from ssr.core.types import CallKind, PathContext
from ssr.domains import domain_named
from ssr.engines.author import affinity, question_call
from ssr.engines.context_left import checked_tokens_left, refusals_as_full
from ssr.verifier.scoring import JudgedStep, Judgement


class LikelihoodScorer:
    """The target is asked nothing: the step stands where it would write it, with the path's strategy before it."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`. Engines may have to process the whole path anew; the ledger counts it as prompt."""
        dialogue = solving(context.problem, context.strategy, domain_named(context.domain).prompts)
        path = await target.renderer.turn(dialogue, join_path(context.steps))
        prompt, whole = path.text(), path.text(step)
        if not whole.startswith(prompt):  # a control token that step and path form together was broken up in the path
            prompt, whole = "", whole
        info = await target.engine.info()
        await checked_tokens_left(target.engine, info, whole)
        try:
            with refusals_as_full(info):
                likelihood = await target.engine.likelihood(
                    prompt, whole.removeprefix(prompt), affinity=affinity(context)
                )
        except CapabilityMissing as error:
            raise CapabilityMissing(f"scorer likelihood: {error}") from error
        return Judgement(likelihood_score(likelihood.logprobs), (question_call(CallKind.SCORE, info, likelihood),))
