"""Scorers that ask the target about a step and read the one token that it would answer with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ssr.core.acceptance import Candidates
from ssr.core.prompts import judging
from ssr.core.types import CallKind, PathContext
from ssr.domains import domain_named
from ssr.engines.author import affinity, question_call
from ssr.engines.context_left import checked_tokens_left, refusals_as_full
from ssr.verifier.scoring import JudgedStep, Judgement

#: Candidates asked for: ten digits in their usual spellings, or Yes and No in theirs.
_TOP_N = 20


@dataclass(frozen=True, slots=True)
class QuestionScorer:
    """What to ask, the words the answer begins with, the answers, and how to read the first token of one."""

    question: str
    prefill: str
    answers: tuple[str, ...]
    read: Callable[[Candidates], float]

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `Scorer.judge`."""
        question = judging(context, step, self.question, self.prefill, domain_named(context.domain).prompts)
        prompt = await target.renderer.question(question)
        info = await target.engine.info()
        await checked_tokens_left(target.engine, info, prompt)
        top_n, path = min(_TOP_N, info.max_top_n), affinity(context)
        with refusals_as_full(info):
            token = await target.engine.next_token(prompt, top_n=top_n, answers=self.answers, affinity=path)
        tail = len(prompt) - max(0, prompt.rfind(self.question))
        call = question_call(CallKind.SCORE, info, token, tail_share=tail / len(prompt))
        score = self.read([(candidate.text, candidate.logprob) for candidate in token.candidates])
        return Judgement(score, (call,))
