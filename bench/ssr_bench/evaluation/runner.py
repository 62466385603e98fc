"""Runs what a plan says and is not recorded yet, so many problems at a time, and records each run when it ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, Unpack

from ssr.client import SolveOptions
from ssr.core.answers import Equivalence
from ssr.core.errors import Conflict, InvalidRequest, Unavailable
from ssr.core.job import Event, Job, Priority
from ssr.core.run import Selected, StepCommitted
from ssr.core.types import Call
from ssr_bench.evaluation.dataset import Problem, is_right
from ssr_bench.evaluation.plan import Plan, PlannedRun
from ssr_bench.evaluation.record import LOST, Record, Setting, StepCalls, record_of, refused
from ssr_bench.evaluation.run_directory import Records

MAX_CONCURRENCY = 256
#: The server ends a job at its deadline; a client that waits so much longer waits in vain, in seconds.
_GRACE_S = 60.0
#: So many lost runs in a row are no accident.
_LOST_IN_A_ROW = 5


class Solver(Protocol):
    """What solves: the client. It sees prompts, and no answers."""

    def stream(
        self,
        problem: str,
        *,
        timeout_s: float | None,
        idempotency_key: str,
        priority: Priority | str,
        **options: Unpack[SolveOptions],
    ) -> AsyncGenerator[Event]: ...

    async def get(self, job_id: str) -> Job: ...


@dataclass(frozen=True, slots=True)
class Sitting:
    """One call of the runner: who solves, who grades, who is reported each record."""

    solver: Solver
    equivalence: Equivalence
    setting: Setting
    run_id: str
    log: Callable[[Record], None] = lambda _: None


async def run_plan(plan: Plan, problems: Sequence[Problem], records: Records, sitting: Sitting) -> None:
    """Do the runs of `plan` that are not in `records`.

    A run that the models' failure ended is recorded and not counted as done. Cancelling it leaves every finished run
    recorded. Raises: the client's errors where they are not one problem's; Unavailable when run after run is lost.
    """
    todo = remaining(plan, problems, records)
    try:
        async with asyncio.TaskGroup() as group:
            runner = _Runner(plan, records, sitting)
            for number in range(sitting.setting.concurrency):
                group.create_task(runner.work(todo), name=f"evaluation-{number}")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def remaining(plan: Plan, problems: Sequence[Problem], records: Records) -> Iterator[PlannedRun]:
    """The runs to do, in their order."""
    return (run for run in plan.runs(problems) if (run.cell, run.problem.id, run.repeat) not in records.done)


@dataclass(frozen=True, slots=True)
class _Solved:
    """A finished job, and the engine calls that its events reported."""

    job: Job
    calls: StepCalls
    selection: tuple[Call, ...]


class _Runner:
    def __init__(self, plan: Plan, records: Records, sitting: Sitting) -> None:
        self._plan, self._records, self._sitting = plan, records, sitting
        self._writing = asyncio.Lock()
        self._lost_in_a_row = 0

    async def work(self, runs: Iterator[PlannedRun]) -> None:
        for run in runs:
            await self._keep(await self._record(run))

    async def _record(self, run: PlannedRun) -> Record:
        setting = self._sitting.setting
        try:
            solved = await self._solved(run)
        except InvalidRequest as error:
            if error.field != "problem":
                raise
            return refused(run, str(error), setting)
        correct = await self._right(solved.job.answer, run.problem)
        paths = [await self._right(path.answer, run.problem) for path in solved.job.paths]
        return record_of(
            run, solved.job, setting, correct=correct, paths=paths, calls=solved.calls, selection=solved.selection
        )

    async def _solved(self, run: PlannedRun) -> _Solved:
        """The run's job. One that a killed process left behind on the server is gone on with, unless it is lost."""
        key = _key(self._sitting.run_id, run)
        try:
            solved = await self._watched(run, key)
        except Conflict:  # the server has other defaults now
            return await self._watched(run, uuid.uuid4().hex)
        return await self._watched(run, uuid.uuid4().hex) if solved.job.status in LOST else solved

    async def _watched(self, run: PlannedRun, key: str) -> _Solved:
        calls: dict[tuple[int, int], tuple[Call, ...]] = {}
        selection: tuple[Call, ...] = ()
        job_id = ""
        events = self._sitting.solver.stream(
            run.problem.prompt,
            timeout_s=self._plan.timeout_s + _GRACE_S,
            idempotency_key=key,
            priority=Priority.BATCH,
            **self._plan.solve_options(run),
        )
        async with aclosing(events):
            async for event in events:
                job_id, happening = event.job_id, event.happening
                if isinstance(happening, Selected):
                    selection = happening.calls
                elif isinstance(happening, StepCommitted):
                    calls[happening.path, happening.step.index] = happening.calls
        return _Solved(await self._sitting.solver.get(job_id), calls, selection)

    async def _right(self, answer: str, problem: Problem) -> bool:
        return await is_right(answer, problem, self._sitting.equivalence)

    async def _keep(self, record: Record) -> None:
        async with self._writing:  # one line at a time
            await asyncio.to_thread(self._records.append, record)
        self._sitting.log(record)
        self._lost_in_a_row = self._lost_in_a_row + 1 if record.lost else 0
        if self._lost_in_a_row >= _LOST_IN_A_ROW:
            raise Unavailable(f"{_LOST_IN_A_ROW} runs in a row were lost, the last one so: {record.error}")


def _key(run_id: str, run: PlannedRun) -> str:
    """Equal for the same run of the same evaluation, whichever process asks."""
    words = [run_id, run.cell.model_dump(mode="json"), run.problem.id, run.repeat]
    return hashlib.blake2b(json.dumps(words).encode(), digest_size=16).hexdigest()
