"""Two models that write as seeded ones do, for the tests of `core.solve`: each step depends on the path alone."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import SsrError, Unavailable
from ssr.core.outcome import Outcome
from ssr.core.path_stream import StepByStep
from ssr.core.run import Decision, Run, StepCommitted
from ssr.core.solve import solve
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.types import Call, CallKind, Mode, Options, PathContext, Source, Step, Strategy

TOKENS = 10
#: Drafts go ahead as far as `lookahead` says, whatever is wasted.
OPTIONS = Options(paths=1, mode=Mode.SSD, early_stop=False, lookahead=0, max_waste=1.0)


class MemoryJournal:
    """Keeps decisions in a list; `error` is raised in the place of the decision number `fail_at`."""

    def __init__(self, decisions: Sequence[Decision] = (), fail_at: int = -1, error: Exception | None = None) -> None:
        self.decisions = list(decisions)
        self._fail_at, self._error = fail_at, error

    @property
    def run(self) -> Run:
        run = Run()
        for decision in self.decisions:
            run = run.apply(decision)
        return run

    async def load(self) -> Run:
        return self.run

    async def append(self, decision: Decision) -> None:
        await asyncio.sleep(0)
        if len(self.decisions) == self._fail_at and self._error:
            raise self._error
        self.decisions.append(decision)

    def steps(self, path: int = 0) -> list[StepCommitted]:
        return [d for d in self.decisions if isinstance(d, StepCommitted) and d.path == path]


class TreeModels(StepByStep):
    """Writes what depends on nothing but the context, as a seeded model does, and takes a random while.

    `rejected` holds (path, step) whose drafts are rewritten, `lengths` how many steps each path takes, `broken` (path,
    step) of drafts that fail, and how often. `begun` and `finished` have every draft, `judged` what was verified.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        rejected: frozenset[tuple[int, int]] = frozenset(),
        broken: dict[tuple[int, int], int] | None = None,
        *,
        pace: int = 0,
        error: SsrError | None = None,
    ) -> None:
        self._lengths, self._rejected, self._broken = lengths, rejected, dict(broken or {})
        self._random, self._error = random.Random(pace), error or Unavailable("engine gone")
        self.begun: list[tuple[PathContext, int]] = []
        self.finished: list[tuple[PathContext, Step]] = []
        self.judged: list[tuple[PathContext, Step]] = []
        self.deepest: dict[int, int] = defaultdict(int)
        self._turns: dict[int, int] = defaultdict(int)

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        return Selection(tuple(Strategy(chr(65 + i), f"s{i}", "") for i in range(options.paths)))

    async def write(self, context: PathContext, options: Options) -> Written:
        index = len(context.steps)
        self.begun.append((context, options.max_step_tokens))
        self.deepest[context.path] = max(self.deepest[context.path], index - self._turns[context.path])
        await self._while()
        if self._broken.get((context.path, index), 0):
            self._broken[context.path, index] -= 1
            raise self._error
        step = Step(index, self._text("draft", context), Source.DRAFT, TOKENS)
        self.finished.append((context, step))
        return Written(step, (Call(CallKind.DRAFT, "small", 1, 50, 40, TOKENS),))

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        assert step.index == len(context.steps)
        self._turns[context.path] = step.index
        self.judged.append((context, step))
        await self._while()
        score = Call(CallKind.SCORE, "large", 10, 60, 50, 1)
        if (context.path, step.index) in self._rejected:
            if self._random.randrange(2):
                await rejected()
                await self._while()
            rewritten = replace(step, text=self._text("rewrite", context), source=Source.REWRITTEN, score=9.0)
            return Verdict(rewritten, accepted=False, calls=(score, Call(CallKind.REWRITE, "large", 10, 50, 0, TOKENS)))
        return Verdict(replace(step, score=8.0), accepted=True, calls=(score,))

    def _text(self, author: str, context: PathContext) -> str:
        index = len(context.steps)
        text = f"{author} {index} of path {context.path} behind {hash(context.steps)}"
        return f"{text} \\boxed{{{context.path}}}" if index + 1 >= self._lengths[context.path] else text

    async def _while(self) -> None:
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b

    def stages(self) -> Stages:
        return Stages(self, self, self, self, self)


async def run(stages: TreeModels, options: Options, journal: MemoryJournal | None = None) -> Outcome:
    """Solve, and leave no task behind, whatever the end."""
    try:
        async with asyncio.timeout(5):
            return await solve("job", "p", options, stages.stages(), journal or MemoryJournal())
    finally:
        assert asyncio.all_tasks() == {asyncio.current_task()}


def whole_drafts(calls: Iterable[Call]) -> list[Call]:
    """The calls without drafts that were cut off halfway, whose tokens are estimates."""
    return [call for call in calls if call.kind is not CallKind.WASTED or call.prompt_tokens]


def many(paths: int, lookahead: int, **changes: object) -> Options:
    return replace(OPTIONS, mode=Mode.SSR, paths=paths, lookahead=lookahead, **changes)  # type: ignore[arg-type]
