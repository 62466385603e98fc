"""Step-level speculative decoding on the target's side: score, then accept or rewrite (paper section 3.2)."""

from __future__ import annotations

from dataclasses import replace

from ssr.core.acceptance import ScorerName, accepts
from ssr.core.prompts import judging
from ssr.core.steps import is_repeated
from ssr.core.types import MAX_SCORE, Call, CallKind, Options, PathContext, Source, Step, Verdict
from ssr.engines.base import Engine
from ssr.engines.rendering import PromptRenderer
from ssr.verification.scorers import scorer_named
from ssr.writing import Author, affinity, question_call

#: Candidates asked for: ten digits in their usual spellings, or Yes and No in theirs.
_TOP_N = 20


class TargetVerifier:
    """Implements `core.solve.Verifier` with the target engine."""

    def __init__(self, engine: Engine, default_scorer: ScorerName) -> None:
        self._engine, self._default_scorer = engine, default_scorer
        self._renderer = PromptRenderer(engine)
        self._rewriter = Author(engine, CallKind.REWRITE, Source.REWRITTEN)

    async def verify(self, context: PathContext, step: Step, options: Options) -> Verdict:
        """The draft with its score, or the target's own step in its place.

        An empty or repeated draft is rejected unseen: committing it would end the path.
        Raises: InvalidRequest for an unknown scorer; ContextFull; the engine's errors.
        """
        score, calls = 0.0, tuple[Call, ...]()
        if step.text and not is_repeated(step.text, context.steps):
            score, calls = await self._score(context, step, options.scorer)
            if accepts(score, options.threshold):
                return Verdict(replace(step, score=score), accepted=True, calls=calls)
        rewrite = await self._rewriter.write(context, options)
        rewritten = replace(rewrite.step, score=MAX_SCORE, draft_score=score)
        return Verdict(rewritten, accepted=False, calls=(*calls, *rewrite.calls))

    async def _score(self, context: PathContext, step: Step, scorer_name: str) -> tuple[float, tuple[Call, ...]]:
        scorer = scorer_named(scorer_name or self._default_scorer)
        question = judging(context, step.text, scorer.question, scorer.prefill)
        prompt = question.prompt(await self._renderer.render(question.messages))
        info = await self._engine.info()
        token = await self._engine.next_token(prompt, top_n=min(_TOP_N, info.max_top_n), affinity=affinity(context))
        call = question_call(CallKind.SCORE, info, token)
        return scorer.read([(candidate.text, candidate.logprob) for candidate in token.candidates]), (call,)
