"""The JSON that other tools rely on."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

from ssr.client.job_json import job_to_json
from ssr.core.job import Job, JobStatus, Priority
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import Path
from ssr.core.steps import CutText
from ssr.core.types import NO_STRATEGY, Mode, Options, PathStatus, Source, Step, Strategy, WorkedExample
from ssr.core.vote import Vote

STEP = Step(0, "6 x 7 = \\boxed{42}", Source.REWRITTEN, 9, 9.0, draft_score=2.0)
EQUATION = Strategy("B", "Equation", "Call it x.", (WorkedExample("a pool's", "and no job's"),))
JOB = Job(
    "job-a",
    JobStatus.ANSWERED,
    "6 x 7?",
    Options(mode=Mode.SSR, paths=1, seed=3),
    "42",
    votes=(Vote("42", (0,), 9.0),),
    paths=(Path(0, EQUATION, (STEP,), PathStatus.ANSWERED, "42"),),
    usage=Usage(models=(ModelUsage("large", 10, 2, 30, 20, 9, reused_tokens=20),), rewritten_tokens=9, total_ratio=1.5),
    priority=Priority.BATCH,
    tenant="shop",
    created=datetime(2025, 1, 2, tzinfo=UTC),
)


def test_a_job_in_full() -> None:
    found = json.loads(json.dumps(job_to_json(JOB)))
    vote = {"answer": "42", "paths": [0], "mean_score": 9.0, "posterior": None, "weight": None}
    assert found["votes"] == [vote]
    assert found["strategies"] == [{"code": "B", "name": "Equation", "hint": "Call it x."}]
    step = {"index": 0, "source": "rewritten", "score": 9.0, "text": STEP.text, "tokens": 9}
    assert found["paths"] == [
        {
            "id": 0,
            "strategy": "B",
            "status": "answered",
            "answer": "42",
            "reason": "",
            "mean_score": 9.0,
            "steps": [step],
        }
    ]
    assert found["options"]["mode"] == "ssr"
    assert (found["priority"], found["tenant"]) == ("batch", "shop")
    assert (found["options"]["max_steps"], found["options"]["lookahead"]) == (4096, None)
    assert (found["created"], found["started"]) == ("2025-01-02T00:00:00+00:00", None)


def test_usage_has_every_field() -> None:
    usage = job_to_json(JOB)["usage"]
    assert set(usage) == {field.name for field in fields(Usage)}
    assert usage["models"] == [
        {
            "model": "large",
            "parameters": 10,
            "calls": 2,
            "prompt_tokens": 30,
            "cached_tokens": 20,
            "generated_tokens": 9,
            "reused_tokens": 20,
            "estimated_tokens": 0,
            "flops": 380.0,
        }
    ]


def test_a_job_that_has_only_begun() -> None:
    found = job_to_json(Job("job-b", JobStatus.QUEUED, "?", Options(mode=Mode.BASELINE, paths=1)))
    assert (found["status"], found["answer"], found["votes"], found["paths"]) == ("queued", "", [], [])


def test_a_mode_without_strategies_has_none() -> None:
    job = Job("job-c", JobStatus.RUNNING, "?", Options(mode=Mode.PARALLEL), paths=(Path(0, NO_STRATEGY),))
    assert job_to_json(job)["strategies"] == []


def test_a_cut_step_says_so() -> None:
    cut = Step(0, CutText("The crates hold 12"), Source.DRAFT, 8)
    path = replace(JOB.paths[0], steps=(cut, Step(1, "40 apples.", Source.DRAFT, 4)))
    steps = job_to_json(replace(JOB, paths=(path,)))["paths"][0]["steps"]
    assert [step.get("cut", False) for step in steps] == [True, False]
