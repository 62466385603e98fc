"""Samples recorded: with the product's steps, each problem once all of its samples have ended, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_fakes import FakeEngine

from ssr.core.errors import InvalidRequest
from ssr.engines.base import Finish, Generation
from ssr_bench.evaluation.dataset import Problem
from ssr_bench.replay.recording import RecordingPlan, record

PROBLEMS = [Problem("a", "What is 3 + 4?", "7"), Problem("b", "What is 2 + 2?", "4")]


def engine(*answers: str) -> FakeEngine:
    """Each path is one generation of two steps."""
    return FakeEngine([Generation(f"We add.\n\nIt is \\boxed{{{answer}}}.", 8, Finish.EOS) for answer in answers])


async def test_samples_are_recorded_and_gone_on_with(tmp_path: Path) -> None:
    file, plan, reports = tmp_path / "target.jsonl", RecordingPlan("s", 2, 1), list[int]()
    await record(engine("7", "8"), file, PROBLEMS[:1], plan, lambda: reports.append(1))
    file.write_bytes(file.read_bytes() + b'{"set": "s", "id"')  # killed while it wrote
    await record(engine("4", "4"), file, PROBLEMS, plan)
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert (first["id"], second["id"], first["set"], first["model"], reports) == ("a", "b", "s", "fake", [1])
    assert [sample["ans"] for sample in first["samples"]] == ["7", "8"]
    assert [(sample["tok"], sample["fin"]) for sample in second["samples"]] == [(8, "stop")] * 2
    assert [step[0] for step in first["samples"][0]["steps"]] == ["We add.", "It is \\boxed{7}."]
    assert sum(step[1] for step in first["samples"][0]["steps"]) == 8


async def test_a_file_that_is_no_pool_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "target.jsonl"
    file.write_text('{"x": 1}\n')
    with pytest.raises(InvalidRequest, match="no pool of samples"):
        await record(engine(), file, PROBLEMS, RecordingPlan("s", 1, 1))
