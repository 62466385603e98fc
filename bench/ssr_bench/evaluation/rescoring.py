"""Recorded steps judged again, by every scorer the same ones; what a scorer said is kept in rescored.jsonl at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ssr.core.acceptance import ScorerName
from ssr.core.errors import InvalidRequest
from ssr.core.steps import CutText
from ssr.core.strategy_sets import StrategySet
from ssr.core.types import NO_STRATEGY, Call, Mode, PathContext, PathStatus, Source, Strategy
from ssr.verifier.scorers import scorer_named
from ssr.verifier.scoring import JudgedStep
from ssr_bench.evaluation.json_lines import JsonLines
from ssr_bench.evaluation.record import PathRecord, Record

RESCORED = "rescored.jsonl"
#: A path that was stopped or failed has no outcome that its steps could predict.
_UNTOLD = frozenset({PathStatus.STOPPED, PathStatus.FAILED, PathStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class PastStep:
    """A recorded step with all that a scorer is reported it; `job_id`, `path` and `index` name it."""

    context: PathContext
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class PastPath:
    """A path that came to its end, and those of its steps that are judged again. `problem` is its id."""

    problem: str
    job_id: str
    index: int
    correct: bool
    steps: tuple[PastStep, ...]


class StepScore(BaseModel):
    """What one scorer, asking one model, thought of one step; `seconds` is how long that took."""

    model_config = ConfigDict(frozen=True)

    model: str
    scorer: ScorerName
    job_id: str
    path: int
    step: int
    score: float
    rejection: str = ""
    calls: tuple[Call, ...] = ()
    seconds: float

    @property
    def key(self) -> ScoreKey:
        return self.model, self.scorer, self.job_id, self.path, self.step


#: Model, scorer, job, path, step.
ScoreKey = tuple[str, ScorerName, str, int, int]


def past_paths(
    records: Sequence[Record], modes: Sequence[Mode], pools: Mapping[str, StrategySet], *, all_steps: bool = False
) -> list[PastPath]:
    """The paths of these modes that ended by themselves, with the steps that the draft model wrote, or all.

    Raises: InvalidRequest when a path's strategy is in none of the pools.
    """
    return [
        past
        for record in records
        if record.cell.mode in modes and not record.lost
        for path in record.paths
        if path.status not in _UNTOLD and (past := _past(record, path, pools, all_steps)).steps
    ]


def _past(record: Record, path: PathRecord, pools: Mapping[str, StrategySet], all_steps: bool) -> PastPath:
    strategy = _strategy(record, path, pools)
    texts = tuple(CutText(step.text) if step.cut else step.text for step in path.steps)
    steps = tuple(
        PastStep(
            PathContext(record.job_id, path.index, record.problem, strategy, texts[: step.index], record.seed or 0),
            step.index,
            step.text,
        )
        for step in path.steps
        if step.text and (all_steps or step.source is Source.DRAFT)
    )
    return PastPath(f"{record.dataset}/{record.problem_id}", record.job_id, path.index, path.correct, steps)


def _strategy(record: Record, path: PathRecord, pools: Mapping[str, StrategySet]) -> Strategy:
    if not path.strategy:
        return NO_STRATEGY
    for used in record.strategies:
        if used.code == path.strategy:
            return Strategy(used.code, used.name, used.hint, used.examples)
    pool = record.options.strategy_set if record.options else ""
    for strategy in pools.get(pool, ()):
        if strategy.code == path.strategy:
            return strategy
    raise InvalidRequest(
        "pools", f"no strategy {path.strategy!r} of pool {pool!r} is known; name the folder that the selector had"
    )


class Scores:
    """rescored.jsonl, open for adding to it; `known` is all that it has."""

    def __init__(self, lines: JsonLines[StepScore]) -> None:
        self._lines = lines
        self.known = {score.key: score for score in lines.resume()}

    def append(self, score: StepScore) -> None:
        """Durable when it returns."""
        self._lines.append(score)
        self.known[score.key] = score


@contextmanager
def opened_scores(folder: Path) -> Iterator[Scores]:
    """The scores in `folder`, begun or gone on with.

    Raises: InvalidRequest when the file cannot be read or written; Conflict when another process adds to it.
    """
    try:
        lines = JsonLines(folder / RESCORED, StepScore)
    except OSError as error:
        raise InvalidRequest("dir", f"{folder / RESCORED} cannot be written: {error.strerror}") from error
    with closing(lines):
        yield Scores(lines)


@dataclass(frozen=True, slots=True)
class Rescoring:
    """One sitting: who judges, by which model, into which file; `log` hears of each step."""

    scorers: tuple[ScorerName, ...]
    target: JudgedStep
    model: str
    log: Callable[[StepScore], None] = lambda _: None

    def missing(self, paths: Sequence[PastPath], scores: Scores) -> int:
        """How many judgements are to be made."""
        return sum(1 for path in paths for scorer in self.scorers for _ in self._todo(path, scorer, scores))

    def _todo(self, path: PastPath, scorer: ScorerName, scores: Scores) -> Iterator[PastStep]:
        for step in path.steps:
            if (self.model, scorer, path.job_id, path.index, step.index) not in scores.known:
                yield step

    async def run(self, paths: Sequence[PastPath], scores: Scores, concurrency: int = 1) -> None:
        """Judge what is not in `scores`, so many paths at a time; a path's steps in their order, as a run does.

        Raises: CapabilityMissing where the engine cannot do what a scorer needs; the engine's errors.
        """
        todo = iter(paths)
        writing = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(concurrency):
                    group.create_task(self._work(todo, scores, writing), name=f"rescoring-{number}")
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _work(self, paths: Iterator[PastPath], scores: Scores, writing: asyncio.Lock) -> None:
        for path in paths:
            for scorer in self.scorers:
                for step in self._todo(path, scorer, scores):
                    score = await self._judged(step, scorer)
                    async with writing:  # one line at a time
                        await _whole(asyncio.create_task(asyncio.to_thread(scores.append, score)))
                    self.log(score)

    async def _judged(self, step: PastStep, scorer: ScorerName) -> StepScore:
        began = time.perf_counter()
        judgement = await scorer_named(scorer).judge(step.context, step.text, self.target)
        return StepScore(
            model=self.model,
            scorer=scorer,
            job_id=step.context.job_id,
            path=step.context.path,
            step=step.index,
            score=judgement.score,
            rejection=judgement.rejection,
            calls=judgement.calls,
            seconds=time.perf_counter() - began,
        )


async def _whole(write: asyncio.Task[None]) -> None:
    """Waits for the write, also when cancelled: a thread that still writes would hold the file, and its lock."""
    try:
        await asyncio.shield(write)
    except asyncio.CancelledError:
        await write
        raise
