"""What is recorded of one run: all that any number or figure is computed from, in one line of JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, computed_field

from ssr.core.job import Job, JobStatus
from ssr.core.ledger import Usage
from ssr.core.run import Path
from ssr.core.types import Call, Options, PathStatus, Source, Strategy, WorkedExample
from ssr.core.vote import Vote
from ssr_bench.evaluation.plan import Cell, PlannedRun

#: Nothing was found out about the problem: such a run is tried again when the evaluation goes on.
LOST = frozenset({JobStatus.FAILED, JobStatus.PARKED, JobStatus.CANCELLED})

#: The engine calls behind each step: by path and step.
StepCalls = Mapping[tuple[int, int], tuple[Call, ...]]
#: Which run: cell, problem, repeat.
RunKey = tuple[Cell, str, int]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepRecord(_Model):
    """A step that stands, and the engine calls that it took, those for a rejected draft too."""

    index: int
    text: str
    source: Source
    tokens: int
    score: float | None
    draft_score: float | None
    calls: tuple[Call, ...] = ()
    cut: bool = False  #: by its token limit: the next step goes on right behind it
    draft_text: str = ""  #: of a rewritten step, the draft it replaced
    logprob: float | None = None
    ends_turn: bool = False

    @property
    def judged_score(self) -> float | None:
        """What the draft at this place was given, whether it stands or was written again; None: none was judged."""
        if self.source is Source.REWRITTEN:
            return self.draft_score
        return self.score if self.source is Source.DRAFT else None


class StrategyRecord(_Model):
    """A strategy as the models were given it; `fingerprint` is that of its texts, examples included."""

    strategy_set: str
    code: str
    name: str
    hint: str
    examples: tuple[WorkedExample, ...] = ()

    @classmethod
    def of(cls, strategy: Strategy, strategy_set: str) -> Self:
        return cls(
            strategy_set=strategy_set,
            code=strategy.code,
            name=strategy.name,
            hint=strategy.hint,
            examples=strategy.examples,
        )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def fingerprint(self) -> str:
        content = json.dumps([self.name, self.hint, [[one.problem, one.solution] for one in self.examples]])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class PathRecord(_Model):
    """A path, its steps, and whether its own answer is right."""

    index: int
    strategy: str
    status: PathStatus
    answer: str
    correct: bool
    reason: str
    steps: tuple[StepRecord, ...]

    @classmethod
    def of(cls, path: Path, correct: bool, calls: StepCalls) -> Self:
        return cls(
            index=path.index,
            strategy=path.strategy.code,
            status=path.status,
            answer=path.answer,
            correct=correct,
            reason=path.reason,
            steps=tuple(
                StepRecord(
                    index=step.index,
                    text=step.text,
                    source=step.source,
                    tokens=step.tokens,
                    score=step.score,
                    draft_score=step.draft_score,
                    calls=calls.get((path.index, step.index), ()),
                    cut=step.cut,
                    draft_text=step.draft_text,
                    logprob=step.logprob,
                    ends_turn=step.ends_turn,
                )
                for step in path.steps
            ),
        )


class Record(_Model):
    """One problem, solved once in one cell.

    `cell` and `seed` are what was asked for, `options` what the server made of it, every default filled in. `wall_s`
    runs from the job's start to its end on the server; None where it did not come that far. `concurrency`: how many
    problems were solved at a time. `selection` are the engine calls that chose the strategies, `strategies` those that
    the paths had, as given to them. `version` is this program's, `sitting` the number of the `SittingRecord` that says
    what was measured. `gpu_s`: its part of the seconds that the engines' GPUs were held, `wall_s` times their number
    over `concurrency`; None: not known. The scorer in `options` is the one that judged, named by the job or not.
    """

    dataset: str
    problem_id: str
    problem: str
    gold: str
    cell: Cell
    repeat: int
    seed: int | None
    status: JobStatus
    answer: str = ""
    correct: bool = False
    votes: tuple[Vote, ...] = ()
    paths: tuple[PathRecord, ...] = ()
    selection: tuple[Call, ...] = ()
    usage: Usage = Usage()
    options: Options | None = None
    error: str = ""
    reason: str = ""
    job_id: str = ""
    started: datetime | None = None
    wall_s: float | None = None
    concurrency: int = 1
    version: str = ""
    sitting: int = 0
    strategies: tuple[StrategyRecord, ...] = ()
    gpu_s: float | None = None

    @property
    def key(self) -> RunKey:
        return self.cell, self.problem_id, self.repeat

    @property
    def lost(self) -> bool:
        """Whether the run failed for reasons that are not the models'."""
        return self.status in LOST

    def without_texts(self) -> Record:
        """As it can be published where the problems may not: without their texts and those of steps."""
        none = {"text": "", "draft_text": ""}
        paths = (
            path.model_copy(update={"steps": tuple(step.model_copy(update=none) for step in path.steps)})
            for path in self.paths
        )
        return self.model_copy(update={"problem": "", "paths": tuple(paths)})


@dataclass(frozen=True, slots=True)
class Setting:
    """What the records of one sitting share; `scorer` is the server's own, `gpus` None: not said."""

    dataset: str
    concurrency: int = 1
    version: str = ""
    sitting: int = 0
    scorer: str = ""
    gpus: float | None = None


def record_of(
    run: PlannedRun,
    job: Job,
    setting: Setting,
    *,
    correct: bool,
    paths: Sequence[bool],
    calls: StepCalls,
    selection: Sequence[Call] = (),
) -> Record:
    """The record of a finished job; `paths` says of each path whether its answer is right."""
    took = (job.finished - job.started).total_seconds() if job.finished and job.started else None
    return refused(run, job.error, setting).model_copy(
        update={
            "problem": job.problem,
            "status": job.status,
            "answer": job.answer,
            "correct": correct,
            "votes": job.votes,
            "paths": tuple(PathRecord.of(path, right, calls) for path, right in zip(job.paths, paths, strict=True)),
            "selection": tuple(selection),
            "usage": job.usage,
            "options": _resolved(job.options, setting.scorer),
            "strategies": _strategies(job),
            "reason": job.reason,
            "job_id": job.job_id,
            "started": job.started,
            "wall_s": took,
            "gpu_s": None if took is None or setting.gpus is None else took * setting.gpus / setting.concurrency,
        }
    )


def refused(run: PlannedRun, error: str, setting: Setting) -> Record:
    """The record of a problem that the server did not take."""
    return Record(
        dataset=setting.dataset,
        problem_id=run.problem.id,
        problem=run.problem.prompt,
        gold=run.problem.answer,
        cell=run.cell,
        repeat=run.repeat,
        seed=run.seed,
        status=JobStatus.FAILED,
        error=error,
        concurrency=setting.concurrency,
        version=setting.version,
        sitting=setting.sitting,
    )


def _resolved(options: Options, scorer: str) -> Options:
    """The options with the scorer that judges where they name none."""
    return replace(options, scorer=scorer) if options.mode.drafts and not options.scorer else options


def _strategies(job: Job) -> tuple[StrategyRecord, ...]:
    """Each strategy of the paths once."""
    chosen = dict.fromkeys(path.strategy for path in job.paths if path.strategy.code)
    return tuple(StrategyRecord.of(one, job.options.strategy_set) for one in chosen)
