"""The runner, with a server that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import Conflict, InvalidRequest, SsrError, Unavailable
from ssr.core.job import Event, Finished, Job, JobStatus
from ssr.core.run import Path as JobPath
from ssr.core.run import Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Call, CallKind, Options, PathStatus, Source, Step
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.evaluation.plan import Plan, WantedCells, make_plan
from ssr_bench.evaluation.record import Record, Setting
from ssr_bench.evaluation.run_directory import Evaluation, EvaluationOrigin, opened, read
from ssr_bench.evaluation.runner import Sitting, run_plan

GOLD = "987654321"
PROBLEMS = [Problem(f"p{number}", f"What is {number}?", GOLD) for number in range(4)]
CHOICE = Problem("c", "Which?", "B", (("A", "1"), ("B", GOLD)))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SELECTING, WRITING = (Call(kind, "m", 7, 10, 0, 5) for kind in (CallKind.SELECT, CallKind.WRITE))
STEP = Step(0, "work", Source.TARGET, 5)


class Texts:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b


class Server:
    """Finishes every job at once with `outcome`, given its problem, or raises it."""

    def __init__(self, outcome: Callable[[str], Job | SsrError] | None = None) -> None:
        self._outcome = outcome or (lambda problem: done(problem, GOLD))
        self._jobs: dict[str, Job] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.running = self.most = 0

    async def stream(self, problem: str, **options: Any) -> AsyncGenerator[Event]:
        self.asked.append((problem, options))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            outcome = self._outcome(problem)
            if isinstance(outcome, SsrError):
                raise outcome
            job = replace(outcome, job_id=str(len(self.asked)))
            self._jobs[job.job_id] = job
            for happening in (
                Selected((NO_STRATEGY,), (SELECTING,)),
                StepCommitted(0, STEP, (WRITING,)),
                Finished(replace(job, paths=())),
            ):
                yield Event("1", job.job_id, BEGAN, happening)
        finally:
            self.running -= 1

    async def get(self, job_id: str) -> Job:
        return self._jobs[job_id]


def done(problem: str, answer: str, status: JobStatus = JobStatus.ANSWERED, error: str = "") -> Job:
    path = JobPath(0, NO_STRATEGY, (STEP,), PathStatus.ANSWERED, answer)
    return Job(
        "j", status, problem, Options(), answer, paths=(path,), error=error, started=BEGAN,
        finished=BEGAN + timedelta(seconds=3),
    )  # fmt: skip


async def evaluated(folder: Path, server: Server, problems: list[Problem] = PROBLEMS, **changes: Any) -> Evaluation:
    reported: list[Record] = []
    plan = plan_of(problems, **changes)
    with opened(folder, plan, EvaluationOrigin(run_id="r")) as (records, origin):
        setting = Setting("d", concurrency=changes.pop("concurrency", 1), version="1")
        await run_plan(plan, problems, records, Sitting(server, Texts(), setting, origin.run_id, reported.append))
    return read(folder)


def plan_of(problems: list[Problem], **changes: Any) -> Plan:
    changes.pop("concurrency", None)
    return make_plan("d", problems, WantedCells(("baseline", "ssr"), (3,)), timeout_s=60.0, **changes)


async def test_every_run_is_recorded_with_all_it_took(tmp_path: Path) -> None:
    found = await evaluated(tmp_path, Server())
    assert found.missing == 0
    one = found.records[0]
    assert (one.correct, one.answer, one.gold, one.wall_s) == (True, GOLD, GOLD, 3.0)
    assert one.selection == (SELECTING,)
    assert one.paths[0].steps[0].calls == (WRITING,)
    assert one.paths[0].correct
    assert one.problem == PROBLEMS[0].prompt
    assert (one.options, one.version) == (Options(), "1")


@pytest.mark.parametrize("problem", [PROBLEMS[0], CHOICE])
async def test_what_is_asked_does_not_depend_on_the_answer(tmp_path: Path, problem: Problem) -> None:
    asked = []
    for answer in (problem.answer, "A"):
        server = Server()
        await evaluated(tmp_path / answer, server, [replace(problem, answer=answer)])
        asked.append(server.asked)
    assert asked[0] == asked[1]
    if not problem.choices:
        assert GOLD not in str(asked[0])


async def test_wrong_and_missing_answers(tmp_path: Path) -> None:
    answers = {"What is 0?": GOLD, "What is 1?": "12"}
    found = await evaluated(tmp_path, Server(lambda problem: done(problem, answers.get(problem, ""))))
    assert {one.problem_id: one.correct for one in found.records} == {"p0": True, "p1": False, "p2": False, "p3": False}


async def test_only_what_is_left_is_run(tmp_path: Path) -> None:
    def until_p2(problem: str) -> Job | SsrError:
        return Unavailable("gone") if problem == "What is 2?" else done(problem, GOLD)

    with pytest.raises(Unavailable, match="gone"):
        await evaluated(tmp_path, Server(until_p2))
    assert len(read(tmp_path).records) == 4
    server = Server()
    assert (await evaluated(tmp_path, server)).missing == 0
    assert {problem for problem, _ in server.asked} == {"What is 2?", "What is 3?"}


async def test_the_key_is_a_runs_own_and_the_same_again(tmp_path: Path) -> None:
    keys = []
    for folder in ("a", "b"):
        server = Server()
        await evaluated(tmp_path / folder, server)
        keys.append([options["idempotency_key"] for _, options in server.asked])
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == len(PROBLEMS) * 2


async def test_a_job_that_was_lost_before_is_tried_once_more(tmp_path: Path) -> None:
    outcomes = iter([done("", "", JobStatus.CANCELLED)])
    server = Server(lambda problem: next(outcomes, done(problem, GOLD)))
    found = await evaluated(tmp_path, server, PROBLEMS[:1])
    assert all(one.correct for one in found.records)
    first, second = (options["idempotency_key"] for _, options in server.asked[:2])
    assert first != second


async def test_a_key_that_means_something_else_is_left_alone(tmp_path: Path) -> None:
    outcomes: list[SsrError] = [Conflict("idempotency_key: is another request's")]
    server = Server(lambda problem: outcomes.pop() if outcomes else done(problem, GOLD))
    assert (await evaluated(tmp_path, server, PROBLEMS[:1])).missing == 0


async def test_a_lost_run_is_recorded_and_done_again_later(tmp_path: Path) -> None:
    def p1_fails(problem: str) -> Job:
        lost = problem == "What is 1?"
        return done(problem, "", JobStatus.FAILED, "the engine broke") if lost else done(problem, GOLD)

    found = await evaluated(tmp_path, Server(p1_fails))
    assert [one.error for one in found.records if one.lost] == ["the engine broke"] * 2
    server = Server()
    assert not any(one.lost for one in (await evaluated(tmp_path, server)).records)
    assert [problem for problem, _ in server.asked] == ["What is 1?"] * 2


async def test_run_after_run_lost_ends_it(tmp_path: Path) -> None:
    server = Server(lambda problem: done(problem, "", JobStatus.FAILED, "no engine"))
    with pytest.raises(Unavailable, match="5 runs in a row were lost, the last one so: no engine"):
        await evaluated(tmp_path, server)


async def test_a_problem_that_is_refused_does_not_end_it(tmp_path: Path) -> None:
    def too_long(problem: str) -> Job | SsrError:
        return InvalidRequest("problem", "is too long") if problem == "What is 3?" else done(problem, GOLD)

    found = await evaluated(tmp_path, Server(too_long))
    assert [one.error for one in found.records if one.lost] == ["problem: is too long"] * 2
    with pytest.raises(InvalidRequest, match="^strategy_set: "):
        await evaluated(tmp_path / "b", Server(lambda _: InvalidRequest("strategy_set", "is unknown")))


async def test_so_many_at_a_time(tmp_path: Path) -> None:
    server = Server()
    found = await evaluated(tmp_path, server, concurrency=3)
    assert server.most == 3
    assert found.missing == 0
    assert {one.concurrency for one in found.records} == {3}
