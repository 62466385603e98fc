"""Problems with known answers, from a JSONL file: an object a line with `id`, `problem`, `answer`.

A multiple-choice problem has `choices` too: texts, called A, B, C ..., or an object of label -> text. Its answer is a
label or a choice's text. Other fields are ignored.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.answers import Asked, Equivalence
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_problem

_CHOICES_HEAD = "Choices:"
_CHOICES_REQUEST = "Exactly one choice is right. Answer with its letter."


@dataclass(frozen=True, slots=True)
class Problem:
    """`answer` is known to the grader alone: `prompt` is all that a server gets to see.

    `choices` has (label, text) pairs; none for a free-form answer. Of a choice, `answer` is its label.
    """

    id: str
    text: str
    answer: str
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def prompt(self) -> str:
        """What is asked."""
        if not self.choices:
            return self.text
        lines = [f"({label}) {text}" for label, text in self.choices]
        return "\n".join([self.text, "", _CHOICES_HEAD, *lines, "", _CHOICES_REQUEST])


def read_problems(file: Path) -> tuple[Problem, ...]:
    """The problems of a JSONL file.

    Raises: InvalidRequest naming the file, the line and the field.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest("dataset", f"{file} cannot be read ({error}); name a JSONL file in UTF-8") from error
    problems: dict[str, Problem] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        problem = _parsed(line, f"{file}, line {number}")
        if problem.id in problems:
            raise InvalidRequest("dataset", f"{file}, line {number}: id: {problem.id!r} is taken by a line before")
        problems[problem.id] = problem
    if not problems:
        raise InvalidRequest("dataset", f"{file} has no problems")
    return tuple(problems.values())


def problem_of(fields: Mapping[str, Any], place: str) -> Problem:
    """The problem of one JSON object; `place` is where it stands, for messages.

    Raises: InvalidRequest naming the place and the field.
    """
    problem_id, text, answer = (_text(fields, name, place) for name in ("id", "problem", "answer"))
    choices = _choices(fields.get("choices"), place)
    problem = Problem(problem_id, text, _label(answer, choices, place) if choices else answer, choices)
    try:
        check_problem(problem.prompt)
    except InvalidRequest as error:
        raise InvalidRequest("dataset", f"{place}: {error}") from error
    return problem


def selected(problems: Sequence[Problem], offset: int, limit: int | None) -> tuple[Problem, ...]:
    """`limit` problems (None: all) behind the first `offset`.

    Raises: InvalidRequest when there are none.
    """
    if offset < 0:
        raise InvalidRequest("offset", f"must be at least 0; got {offset}")
    if limit is not None and limit < 1:
        raise InvalidRequest("limit", f"must be at least 1; got {limit}")
    chosen = tuple(problems[offset:][:limit])
    if not chosen:
        raise InvalidRequest("offset", f"must be below the number of problems, {len(problems)}; got {offset}")
    return chosen


def fingerprint(problems: Iterable[Problem]) -> str:
    """The same for the same problems in the same order, and for nothing else."""
    content = [[one.id, one.text, one.answer, one.choices] for one in problems]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _parsed(line: str, place: str) -> Problem:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise InvalidRequest("dataset", f"{place}: is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("dataset", f"{place}: is no JSON object with id, problem and answer")
    return problem_of(fields, place)


def _text(fields: Mapping[str, Any], name: str, place: str) -> str:
    value = fields.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest("dataset", f"{place}: {name}: must be a text that is not empty; got {value!r:.80}")
    return value.strip()


def _choices(value: Any, place: str) -> tuple[tuple[str, str], ...]:
    if value is None or value == [] or value == {}:
        return ()
    if isinstance(value, list):
        value = dict(zip(string.ascii_uppercase, value, strict=False)) if len(value) <= 26 else None
    wanted = "must be 2..26 texts, or an object of capital letter -> text"
    if not isinstance(value, dict) or not 2 <= len(value) <= 26:
        raise InvalidRequest("dataset", f"{place}: choices: {wanted}")
    for label, text in value.items():
        if label not in string.ascii_uppercase or len(label) != 1 or not isinstance(text, str | int | float):
            raise InvalidRequest("dataset", f"{place}: choices: {wanted}")
    return tuple((label, str(text).strip()) for label, text in value.items())


def _label(answer: str, choices: Sequence[tuple[str, str]], place: str) -> str:
    """The label of the right choice."""
    if any(answer == label for label, _ in choices):
        return answer
    labels = [label for label, text in choices if text == answer]
    if len(labels) != 1:
        raise InvalidRequest("dataset", f"{place}: answer: {answer!r:.80} is neither a choice's label nor its text")
    return labels[0]


async def is_right(answer: str, problem: Problem, equivalence: Equivalence) -> bool:
    """Whether `answer` ("": none) is the problem's.

    A choice may be named by its letter, by letter and text, or by its text alone; the letter counts first. The
    equivalence sees the choices in the problem, as it does when paths vote.
    """
    if not answer.strip():
        return False
    return await equivalence.same(problem.answer, answer, Asked(problem.id, problem.prompt))
