"""A pool without its texts: each sample's class of answers, tokens, false sum and confidence. Small enough to publish,
and all that replays need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssr_bench.replay.packed_rows import read_rows, write_rows
from ssr_bench.replay.pool import PooledProblem, Sample

GRADED = "graded.jsonl.gz"


def write_graded(problems: Sequence[PooledProblem], file: Path) -> None:
    """The same bytes for the same problems."""
    rows = ([one.group, one.id, [_row(s) for s in one.drafts], [_row(s) for s in one.targets]] for one in problems)
    write_rows(rows, file)


def read_graded(file: Path) -> tuple[PooledProblem, ...]:
    """Raises: InvalidRequest naming the file and line."""
    return tuple(read_rows(file, _problem, "is no graded problem"))


def _problem(group: str, name: str, drafts: Sequence[Any], targets: Sequence[Any]) -> PooledProblem:
    return PooledProblem(group, name, tuple(_sample(*row) for row in drafts), tuple(_sample(*row) for row in targets))


def _row(sample: Sample) -> list[Any]:
    confidence = None if sample.confidence is None else round(sample.confidence, 4)
    return [sample.answer, sample.tokens, int(sample.false_sum), confidence, sample.seconds]


def _sample(answer: int | None, tokens: int, false_sum: int, confidence: float | None, seconds: float | None) -> Sample:
    return Sample(answer, tokens, bool(false_sum), confidence, seconds)
