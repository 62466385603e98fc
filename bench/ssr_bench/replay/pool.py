"""A pool: samples of a draft and a target model on the same problems, graded.

A folder holds draft.jsonl.gz and target.jsonl.gz (or .jsonl), an object a line and problem:
{set, id, problem, answer, prompt_tokens, samples: [{steps: [[text, tokens, mean log probability]], tok, fin, ans}]}.
`ssr bench record` makes such folders. Answers are grouped and graded by mathematical equivalence.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.answers import Equivalence, classes
from ssr.core.arithmetic import false_sum
from ssr.core.errors import InvalidRequest
from ssr.core.steps import BOUNDARY

#: The class of right answers.
RIGHT = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded path. `answer`: its class, 0 is right, None is without one; `tokens`: generated.

    `false_sum`: see `core.arithmetic`. `confidence`: the geometric mean of its tokens' probabilities, None if unknown;
    `seconds`: of engine time, None if unknown.
    """

    answer: int | None
    tokens: int
    false_sum: bool
    confidence: float | None = None
    seconds: float | None = None

    @property
    def right(self) -> bool:
        return self.answer == RIGHT


@dataclass(frozen=True, slots=True)
class PooledProblem:
    """A problem and its samples."""

    group: str
    id: str
    drafts: tuple[Sample, ...]
    targets: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class PoolTexts:
    """What the samples of a problem say, step by step, in the order of `PooledProblem`, and each step's tokens."""

    problem: str
    drafts: tuple[tuple[str, ...], ...]
    targets: tuple[tuple[str, ...], ...]
    draft_tokens: tuple[tuple[int, ...], ...]
    target_tokens: tuple[tuple[int, ...], ...]


def pool_texts(folder: Path) -> dict[tuple[str, str], PoolTexts]:
    """Of the problems that have samples of both models, by set and id. Raises: InvalidRequest."""
    drafts = pool_lines(folder, "draft")
    return {
        key: PoolTexts(
            str(fields["problem"]),
            tuple(map(_said, drafts[key]["samples"])),
            tuple(map(_said, fields["samples"])),
            tuple(map(_spent, drafts[key]["samples"])),
            tuple(map(_spent, fields["samples"])),
        )
        for key, fields in pool_lines(folder, "target").items()
        if key in drafts
    }


def _said(sample: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(step[0]) for step in sample.get("steps") or ())


def _spent(sample: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(step[1]) for step in sample.get("steps") or ())


async def read_pool(folder: Path, equivalence: Equivalence) -> tuple[PooledProblem, ...]:
    """The problems that have samples of both models, or of the target where the folder has no drafts at all.

    Raises: InvalidRequest naming the file and line.
    """
    targets, drafts = pool_lines(folder, "target"), pool_lines(folder, "draft")
    if not targets:
        raise InvalidRequest("dir", f"{folder} has no target.jsonl.gz or target.jsonl")
    chosen = [key for key in targets if key in drafts or not drafts]
    if not chosen:
        raise InvalidRequest("dir", f"{folder}: no problem has samples of both models")
    return tuple([await _problem(targets[key], drafts.get(key, {}), equivalence) for key in chosen])


def groups_of(problems: Sequence[PooledProblem]) -> dict[str, list[PooledProblem]]:
    """The problems by their set, in the order in which the sets appear."""
    groups: dict[str, list[PooledProblem]] = {}
    for problem in problems:
        groups.setdefault(problem.group, []).append(problem)
    return groups


async def _problem(target: Mapping[str, Any], draft: Mapping[str, Any], equivalence: Equivalence) -> PooledProblem:
    drafted, written = draft.get("samples", []), target["samples"]
    answers = [target["answer"], *(one.get("ans") or None for one in (*drafted, *written))]
    numbers: list[int | None] = [None] * len(answers)
    for number, members in enumerate(await classes(answers, equivalence)):
        for member in members:
            numbers[member] = number
    samples = [
        _sample(one, number, target["problem"]) for one, number in zip((*drafted, *written), numbers[1:], strict=True)
    ]
    group = str(target.get("set", ""))
    return PooledProblem(group, str(target["id"]), tuple(samples[: len(drafted)]), tuple(samples[len(drafted) :]))


def _sample(fields: Mapping[str, Any], answer: int | None, problem: str) -> Sample:
    steps = fields.get("steps") or []
    text = BOUNDARY.join(str(step[0]) for step in steps)
    logprobs = [(step[1], step[2]) for step in steps if len(step) > 2 and step[2] is not None]
    tokens = sum(count for count, _ in logprobs)
    confidence = math.exp(sum(count * value for count, value in logprobs) / tokens) if tokens else None
    return Sample(answer, int(fields["tok"]), bool(false_sum(text, problem)), confidence, fields.get("s"))


def pool_lines(
    folder: Path, name: str, needed: Sequence[str] = ("id", "problem", "answer", "samples")
) -> dict[tuple[str, str], dict[str, Any]]:
    """The file's problems by (set, id); {} without a file. Raises: InvalidRequest naming the file and line."""
    packed, plain = folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl"
    if not packed.exists() and not plain.exists():
        return {}
    path = packed if packed.exists() else plain
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with gzip.open(path, "rt", encoding="utf-8") if path == packed else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                fields = _fields(line, f"{path}, line {number}", needed)
                found[str(fields.get("set", "")), str(fields["id"])] = fields
    return found


def _fields(line: str, place: str, needed: Sequence[str]) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        for name in needed:
            fields[name]
        for sample in fields.get("samples", ()):
            int(sample["tok"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest("dir", f"{place}: needs {', '.join(needed)}, and tok of samples: {error}") from error
    return dict(fields)
