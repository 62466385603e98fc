"""Records of an evaluation, made by hand for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssr.core.job import JobStatus
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.types import Call, CallKind, Mode, Options, PathStatus, Source
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.evaluation.plan import Cell, Plan, WantedCells, make_plan
from ssr_bench.evaluation.record import PathRecord, Record, StepRecord
from ssr_bench.evaluation.run_directory import Evaluation, EvaluationOrigin

DRAFT_SIZE, TARGET_SIZE = 1_000, 3_000
BASELINE, SSD = Cell(mode=Mode.BASELINE), Cell(mode=Mode.SSD)


def call(kind: CallKind, prompt: int, generated: int, cached: int = 0) -> Call:
    """By the draft model where it drafts, else by the target."""
    drafts = kind in (CallKind.DRAFT, CallKind.WASTED)
    return Call(kind, "d" if drafts else "t", DRAFT_SIZE if drafts else TARGET_SIZE, prompt, cached, generated)


def step(index: int, *calls: Call, score: float | None = None, draft_score: float | None = None) -> StepRecord:
    """Rewritten where it has a `draft_score`, drafted where it has a `score` alone, else the target's."""
    source = Source.TARGET if score is None else Source.DRAFT if draft_score is None else Source.REWRITTEN
    return StepRecord(
        index=index, text=f"step {index}", source=source, tokens=10, score=score, draft_score=draft_score, calls=calls
    )


def path(
    *steps: StepRecord, correct: bool = True, index: int = 0, status: PathStatus = PathStatus.ANSWERED
) -> PathRecord:
    return PathRecord(
        index=index, strategy="", status=status, answer="1" if correct else "2", correct=correct, reason="", steps=steps
    )


def drafted(*scores: float, threshold: float = 5.0, correct: bool = True) -> PathRecord:
    """A path whose drafts were given these scores, and written again below the threshold. Drafts and rewrites have 10
    tokens, a score 1."""
    steps = []
    for index, score in enumerate(scores):
        calls = [call(CallKind.DRAFT, 100, 10), call(CallKind.SCORE, 200, 1)]
        if score >= threshold:
            steps.append(step(index, *calls, score=score))
        else:
            steps.append(step(index, *calls, call(CallKind.REWRITE, 100, 10), score=9.0, draft_score=score))
    return path(*steps, correct=correct)


def record(
    cell: Cell = BASELINE,
    problem: str = "p0",
    correct: bool = True,
    *,
    repeat: int = 0,
    paths: Sequence[PathRecord] = (),
    **changes: Any,
) -> Record:
    """One run; its usage follows from its paths' calls."""
    calls = [one for each in paths for s in each.steps for one in s.calls]
    values: dict[str, Any] = {
        "dataset": "d",
        "problem_id": problem,
        "problem": "?",
        "gold": "1",
        "cell": cell,
        "repeat": repeat,
        "seed": 1,
        "status": JobStatus.ANSWERED,
        "answer": "1" if correct else "2",
        "correct": correct,
        "paths": tuple(paths),
        "usage": usage(calls, paths),
        "options": Options(mode=cell.mode, paths=max(1, len(paths), cell.paths or 1), threshold=cell.threshold or 5.0),
        "wall_s": 2.0,
        "version": "1",
    }
    return Record(**{**values, **changes})


def usage(calls: Sequence[Call], paths: Sequence[PathRecord]) -> Usage:
    def generated(kind: CallKind) -> int:
        return sum(one.generated_tokens for one in calls if one.kind is kind)

    models: dict[str, ModelUsage] = {}
    for one in calls:
        models[one.model] = models.get(one.model, ModelUsage(one.model, one.parameters)).add(one, 0)
    steps = [one for each in paths for one in each.steps]
    accepted = [one for one in steps if one.source is Source.DRAFT]
    tokens = sum(one.tokens for one in accepted)
    return Usage(
        models=tuple(models.values()),
        drafted_tokens=generated(CallKind.DRAFT),
        accepted_tokens=tokens,
        rejected_tokens=generated(CallKind.DRAFT) - tokens,
        rewritten_tokens=generated(CallKind.REWRITE),
        written_tokens=generated(CallKind.WRITE),
        scoring_tokens=generated(CallKind.SCORE),
        accepted_steps=len(accepted),
        rewritten_steps=sum(one.source is Source.REWRITTEN for one in steps),
    )


def written(tokens: int, prompt: int = 100) -> tuple[PathRecord, ...]:
    """The path of a baseline."""
    return (path(step(0, call(CallKind.WRITE, prompt, tokens))),)


def plan_of(cells: Sequence[Cell], count: int = 2, repeats: int = 1) -> Plan:
    problems = [Problem(f"p{number}", "What is 1?", "1") for number in range(count)]
    plan = make_plan("d", problems, WantedCells(("baseline",)), repeats=repeats)
    return plan.model_copy(update={"cells": tuple(cells)})


def evaluation(records: Sequence[Record], name: str = "runs", **plan: Any) -> Evaluation:
    cells = tuple(dict.fromkeys(one.cell for one in records))
    return Evaluation(
        name=name, plan=plan_of(cells, **plan), origin=EvaluationOrigin(run_id="r"), records=tuple(records)
    )
