"""Stages that do no work and take fixed times for it: what `core.solve` costs in waiting, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr.core.path_stream import StepByStep
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.types import MAX_SCORE, Call, CallKind, Options, PathContext, Source, Step, Strategy

STEP_TOKENS = 60


@dataclass(frozen=True, slots=True)
class StageLatencies:
    """Seconds that a draft, a verification and a rewrite of one step take, and how many steps are rewritten (0..1).

    A path has `min_steps`..`max_steps` steps, evenly spread; the calls of different paths do not slow each other down.
    Raises: InvalidRequest naming the field that is out of its limits.
    """

    draft_s: float = 0.6
    verify_s: float = 0.15
    rewrite_s: float = 1.5
    rewritten: float = 0.3
    min_steps: int = 8
    max_steps: int = 16

    @property
    def strict_ratio(self) -> float:
        """A step where each call waits for the one before, over one that the target writes alone."""
        return (self.draft_s + self.verify_s + self.rewritten * self.rewrite_s) / self.rewrite_s

    @property
    def perfect_ratio(self) -> float:
        """The same where the verification of accepted drafts costs no time: drafting goes on beside it."""
        return (self.draft_s + self.rewritten * (self.verify_s + self.rewrite_s)) / self.rewrite_s

    def __post_init__(self) -> None:
        for field in ("draft_s", "verify_s", "rewrite_s"):
            if not 0 < getattr(self, field) <= 3600:
                raise InvalidRequest(field, f"must be over 0, up to 3600; got {getattr(self, field):g}")
        check_within("rewritten", self.rewritten, 0, 1)
        if not 1 <= self.min_steps <= self.max_steps:
            raise InvalidRequest("steps", f"must rise from at least 1; got {self.min_steps}..{self.max_steps}")


@dataclass(slots=True)
class DraftCount:
    """Tokens that the draft model wrote, those of drafts that were cut off halfway in proportion, and those of them
    that reached verification."""

    drafted: float = 0.0
    verified: float = 0.0

    @property
    def wasted(self) -> float:
        return self.drafted - self.verified


class TimedStages(StepByStep):
    """Selector, drafter, verifier and equivalence of one job. What becomes of a step depends on its place alone, so
    that every lookahead commits the same steps."""

    def __init__(self, model: StageLatencies, seed: int) -> None:
        self._model, self._seed = model, seed
        self.count = DraftCount()

    @property
    def solving(self) -> Stages:
        return Stages(self, self, _Alone(self), self, self)

    async def write_alone(self, context: PathContext) -> Written:
        """A step of the target's own."""
        await asyncio.sleep(self._model.rewrite_s)
        return Written(replace(self._step(context), source=Source.TARGET))

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        return Selection(tuple(Strategy(chr(ord("A") + index), "", "") for index in range(options.paths)))

    async def write(self, context: PathContext, options: Options) -> Written:
        """A draft."""
        async with self._drafting():
            await asyncio.sleep(self._model.draft_s)
        call = Call(CallKind.DRAFT, "draft", 1, 0, 0, STEP_TOKENS)
        return Written(self._step(context), (call,))

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        self.count.verified += STEP_TOKENS
        await asyncio.sleep(self._model.verify_s)
        if self._dice("rewrite", context.path, step.index).random() >= self._model.rewritten:
            return Verdict(replace(step, score=MAX_SCORE), accepted=True)
        await rejected()
        await asyncio.sleep(self._model.rewrite_s)
        return Verdict(
            replace(step, text=f"{step.text} (again)", source=Source.REWRITTEN, score=MAX_SCORE, draft_score=0.0),
            accepted=False,
        )

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b

    @asynccontextmanager
    async def _drafting(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        written = 0.0
        try:
            yield
            written = 1.0
        finally:  # a draft that is cut off has cost what it took
            self.count.drafted += STEP_TOKENS * (written or (loop.time() - began) / self._model.draft_s)

    def _step(self, context: PathContext) -> Step:
        index = len(context.steps)
        length = self._dice("length", context.path).randint(self._model.min_steps, self._model.max_steps)
        last = index + 1 >= length
        text = rf"Step {index + 1}: the answer is \boxed{{7}}." if last else f"Step {index + 1} of path {context.path}."
        return Step(index, text, Source.DRAFT, STEP_TOKENS, ends_turn=last)

    def _dice(self, *what: object) -> random.Random:
        return random.Random(f"{self._seed}/{what}")


class _Alone(StepByStep):
    """The target as a writer."""

    def __init__(self, stages: TimedStages) -> None:
        self._stages = stages

    async def write(self, context: PathContext, options: Options) -> Written:
        return await self._stages.write_alone(context)
