"""Selector, drafter and verifier over pools of modelled engines: who is asked what, and no texts.

A path has a fixed number of steps; how long each is, and whether it is rewritten, depends on its place alone.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from ssr.autoscaler.policy.signals import Service
from ssr.core.answers import ANYBODY, Asked
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.types import MAX_SCORE, Call, CallKind, Options, PathContext, Source, Step, Strategy
from ssr.engines.load import Pool
from ssr.engines.load_meter import StepCounts
from ssr.engines.pool import EnginePool
from ssr_bench.autoscale.engine_model import ENGINES
from ssr_bench.autoscale.modelled_engine import prompt_of

#: Tokens of a step, evenly spread, as the simulated models write them.
_STEP_TOKENS = (8, 24)
#: Tokens that are new to an engine's cache: of a selection, a path's opening, a question about a step, a step.
_SELECTION, _OPENING, _QUESTION, _STEP = 250, 150, 60, 20


class ModelledStages:
    """Everything that `core.solve` asks for. `rewritten` gives the share of rewritten drafts (0..1) by threshold."""

    def __init__(
        self, pools: Mapping[Service, EnginePool], steps: int, rewritten: Callable[[float], float], seed: int
    ) -> None:
        self._pools, self._steps, self._rewritten, self._seed = pools, steps, rewritten, seed
        self.counts = StepCounts()

    @property
    def solving(self) -> Stages:
        return Stages(self, self, self, self, self)

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        await self._pools[Service.SELECTOR].next_token(prompt_of(_SELECTION), top_n=1, affinity=job_id)
        call = _call(CallKind.SELECT, Pool.TARGET, _SELECTION, 1)
        return Selection(tuple(Strategy(chr(ord("A") + index), "", "") for index in range(options.paths)), (call,))

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        """Drafts, one generation for all of them."""
        first = len(context.steps)
        lengths = [self._tokens(context, index) for index in range(first, self._steps)][: most or None]
        new_tokens = _STEP if first else _OPENING
        pieces = self._pools[Service.DRAFTER].stream(
            prompt_of(new_tokens, lengths), max_tokens=sum(lengths), affinity=_affinity(context)
        )
        async with aclosing(pieces):
            index = first
            async for _ in pieces:
                call = _call(CallKind.DRAFT, Pool.DRAFT, new_tokens if index == first else 0, lengths[index - first])
                last = index + 1 == self._steps
                text = rf"Step {index + 1}: \boxed{{7}}" if last else f"Step {index + 1} of path {context.path}."
                step = Step(index, text, Source.DRAFT, lengths[index - first], ends_turn=last)
                yield Written(step, (replace(call, continued=index > first),))
                index += 1

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        pool, affinity = self._pools[Service.VERIFIER], _affinity(context)
        await pool.next_token(prompt_of(_QUESTION), top_n=1, affinity=affinity)
        calls = [_call(CallKind.SCORE, Pool.TARGET, _QUESTION, 1)]
        self.counts.verified += 1
        if self._dice("rewrite", context, step.index).random() >= self._rewritten(options.threshold):
            return Verdict(replace(step, score=MAX_SCORE), accepted=True, calls=tuple(calls))
        await rejected()
        await pool.generate(prompt_of(_STEP, [step.tokens]), max_tokens=step.tokens, affinity=affinity)
        self.counts.rewritten += 1
        calls.append(_call(CallKind.REWRITE, Pool.TARGET, _STEP, step.tokens))
        rewrite = replace(step, text=f"{step.text} Again.", source=Source.REWRITTEN, score=MAX_SCORE, draft_score=0.0)
        return Verdict(rewrite, accepted=False, calls=tuple(calls))

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b

    def _tokens(self, context: PathContext, index: int) -> int:
        return self._dice("tokens", context, index).randint(*_STEP_TOKENS)

    def _dice(self, what: str, context: PathContext, index: int) -> random.Random:
        return random.Random(f"{self._seed}/{what}/{context.job_id}/{context.path}/{index}")


def _affinity(context: PathContext) -> str:
    return f"{context.job_id}/{context.path}"


def _call(kind: CallKind, pool: Pool, prompt_tokens: int, tokens: int) -> Call:
    return Call(kind, ENGINES[pool].model_id, 1, prompt_tokens, 0, tokens)
