"""A pool without its texts: each sample's class of answers, tokens, false sum and confidence. Small enough to publish,
and all that replays need."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssr.core.errors import InvalidRequest
from ssr_bench.replay.pool import PooledProblem, Sample

GRADED = "graded.jsonl.gz"


def write_graded(problems: Sequence[PooledProblem], file: Path) -> None:
    """The same bytes for the same problems."""
    lines = [
        json.dumps(
            [one.group, one.id, [_row(s) for s in one.drafts], [_row(s) for s in one.targets]], separators=(",", ":")
        )
        for one in problems
    ]
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())
    file.write_bytes(packed.getvalue())


def read_graded(file: Path) -> tuple[PooledProblem, ...]:
    """Raises: InvalidRequest naming the file and line."""
    problems = []
    try:
        text = gzip.decompress(file.read_bytes()).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidRequest("dir", f"{file} cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            group, name, drafts, targets = json.loads(line)
            problems.append(
                PooledProblem(
                    group, name, tuple(_sample(*row) for row in drafts), tuple(_sample(*row) for row in targets)
                )
            )
        except (ValueError, TypeError) as error:
            raise InvalidRequest("dir", f"{file}, line {number}: is no graded problem: {error}") from error
    return tuple(problems)


def _row(sample: Sample) -> list[Any]:
    confidence = None if sample.confidence is None else round(sample.confidence, 4)
    return [sample.answer, sample.tokens, int(sample.false_sum), confidence, sample.seconds]


def _sample(answer: int | None, tokens: int, false_sum: int, confidence: float | None, seconds: float | None) -> Sample:
    return Sample(answer, tokens, bool(false_sum), confidence, seconds)
