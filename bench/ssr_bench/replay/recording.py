"""Recording a pool: samples of a draft and a target model, with the product's own prompts and steps."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import InvalidRequest, SsrError
from ssr.core.journal import MemoryJournal
from ssr.core.run import Path as SolvedPath
from ssr.core.solve import solve
from ssr.core.stages import OnRejected, Selection, Stages, Verdict
from ssr.core.types import CallKind, Mode, Options, PathContext, PathStatus, Source, Step
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr_bench.evaluation.dataset import Problem


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What to record: `samples` paths of each problem, `at_a_time` of them in flight."""

    group: str
    samples: int
    at_a_time: int
    seed: int = 0
    max_path_tokens: int = 2048
    temperature: float = 0.6
    top_p: float = 0.95


class _Nobody:
    """The stages that a path written by one model alone has no need of."""

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        raise AssertionError("no strategies are selected")

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        raise AssertionError("nothing is verified")

    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b


async def record(
    engine: Engine,
    file: Path,
    problems: Sequence[Problem],
    plan: RecordingPlan,
    report: Callable[[], None] = lambda: None,
) -> None:
    """Add to a pool's file the problems that it does not have yet, each when all of its samples have ended.

    Raises: InvalidRequest when the file is no pool; SsrError of the engine.
    """
    known = _known(file)
    places = asyncio.Semaphore(plan.at_a_time)
    model = (await engine.info()).model
    author = Author(engine, CallKind.WRITE, Source.TARGET)
    stages = Stages(_Nobody(), author, author, _Nobody(), _Nobody())

    async def sample(problem: Problem, number: int) -> dict[str, Any]:
        async with places:
            return await _sampled(stages, problem, plan, number)

    async def recorded(problem: Problem) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(sample(problem, number)) for number in range(plan.samples)]
        line = {
            "set": plan.group,
            "id": problem.id,
            "problem": problem.prompt,
            "answer": problem.answer,
            "model": model,
            "samples": [task.result() for task in tasks],
        }
        await asyncio.to_thread(_append, file, line)
        report()

    left = [problem for problem in problems if (plan.group, problem.id) not in known]
    try:
        async with asyncio.TaskGroup() as group:
            for problem in left:
                group.create_task(recorded(problem))
    except ExceptionGroup as errors:
        raise _first(errors) from None


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    one = errors.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one


async def _sampled(stages: Stages, problem: Problem, plan: RecordingPlan, number: int) -> dict[str, Any]:
    """One path. Raises: SsrError when the engine fails for good."""
    options = Options(
        mode=Mode.BASELINE,
        paths=1,
        seed=plan.seed * 10_000 + number,
        temperature=plan.temperature,
        top_p=plan.top_p,
        max_path_tokens=plan.max_path_tokens,
    )
    began = time.perf_counter()
    outcome = await solve(f"record-{problem.id}-{number}"[:64], problem.prompt, options, stages, MemoryJournal())
    path = outcome.run.paths[0]
    if path.status is PathStatus.FAILED:
        raise SsrError(f"{problem.id}: {path.reason}")
    return {
        "steps": [[step.text, step.tokens, step.logprob] for step in path.steps],
        "tok": path.tokens,
        "fin": _finish(path),
        "ans": path.answer,
        "s": round(time.perf_counter() - began, 3),
    }


def _finish(path: SolvedPath) -> str:
    return "length" if path.status is PathStatus.EXHAUSTED else "stop"


def _known(file: Path) -> set[tuple[str, str]]:
    """What the file has; a line that was cut off when the program was killed is dropped. Raises: InvalidRequest."""
    if not file.exists():
        return set()
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        file.write_bytes(whole)
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        return {(str(line["set"]), str(line["id"])) for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest("out", f"{file} is no pool of samples: {error}") from error


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as pool:
        pool.write(json.dumps(line, ensure_ascii=False) + "\n")
