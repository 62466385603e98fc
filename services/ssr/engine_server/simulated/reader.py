"""Reading a prompt: is it a path to go on with, a step to judge, or approaches to choose from?

Everything that is none of SSR's questions is taken for a problem to solve: a simulated model answers any prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ssr.core.prompts import (
    APPROACH_HEAD,
    APPROACHES_HEAD,
    CODES_HEAD,
    CODES_QUESTION,
    PROBLEM_HEAD,
    QUALITY_QUESTION,
    SELECT_QUESTION,
    SOLVING_REQUEST,
    VALIDITY_QUESTION,
    WORK_HEAD,
    YES_NO_QUESTION,
)
from ssr.core.steps import BOUNDARY
from ssr.core.thinking import CLOSE, OPEN, opens
from ssr.engine_server.simulated.quantity import equation_in
from ssr.engine_server.simulated.template import Dialogue, parse

_APPROACH = re.compile(r"^(?P<code>[A-Za-z0-9]{1,3})\. (?P<name>[^\n]*)$", re.MULTILINE)


class Scale(Enum):
    """How a judgement is asked for."""

    DIGIT = auto()
    YES_NO = auto()


_QUESTIONS = (
    (QUALITY_QUESTION, Scale.DIGIT),
    (VALIDITY_QUESTION, Scale.DIGIT),
    (YES_NO_QUESTION, Scale.YES_NO),
)


@dataclass(frozen=True, slots=True)
class Solving:
    """Write on. `hint` is the path's strategy ("" for none), `steps` are those written so far.

    `thought` are the steps of the turn's thinking, `thinking` whether it goes on.
    """

    problem: str
    hint: str = ""
    steps: tuple[str, ...] = ()
    thought: tuple[str, ...] = ()
    thinking: bool = False

    @property
    def all_steps(self) -> tuple[str, ...]:
        return (*self.thought, *self.steps)


@dataclass(frozen=True, slots=True)
class Judging:
    """How good is `step`, which follows the steps of `path`?"""

    path: Solving
    step: str
    scale: Scale


@dataclass(frozen=True, slots=True)
class Approach:
    """A strategy on offer."""

    code: str
    hint: str


@dataclass(frozen=True, slots=True)
class Selecting:
    """Which approach suits the problem? At least one is on offer."""

    problem: str
    approaches: tuple[Approach, ...]


Task = Solving | Judging | Selecting


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt asks for, and what has to be written between its end and the reply: a blank or nothing.

    `begun`: something of the reply's turn is there already.
    """

    task: Task
    lead: str
    begun: bool


def read(prompt: str) -> Reading:
    """What `prompt` asks for. Never fails."""
    dialogue = parse(prompt)
    return Reading(_task(dialogue), " " if dialogue.midway else "", bool(dialogue.written.strip()))


def _task(dialogue: Dialogue) -> Task:
    user = dialogue.user.strip()
    for question, scale in _QUESTIONS:
        if user.endswith(question):
            return _judging(user.removesuffix(question), scale)
    if user.endswith(CODES_QUESTION) and (selecting := _selecting(user.rpartition(BOUNDARY + CODES_HEAD)[0])):
        return selecting
    if user.endswith(SELECT_QUESTION) and (selecting := _selecting(user.removesuffix(SELECT_QUESTION))):
        return selecting
    return _solving(*_problem_and_hint(user.removesuffix(BOUNDARY + SOLVING_REQUEST)), dialogue.written)


def _solving(problem: str, hint: str, turn: str) -> Solving:
    if not opens(turn):
        return Solving(problem, hint, _steps_so_far(turn))
    thought, closed, answer = turn.lstrip().removeprefix(OPEN).partition(CLOSE)
    steps = _steps_so_far(answer.lstrip())
    return Solving(problem, hint, steps, _steps_so_far(thought.lstrip()), thinking=not closed)


def _judging(text: str, scale: Scale) -> Judging:
    head, _, work = text.partition(BOUNDARY + WORK_HEAD)
    *earlier, step = work.removesuffix(BOUNDARY).split(BOUNDARY)
    return Judging(Solving(*_problem_and_hint(head), tuple(earlier)), step, scale)


def _selecting(text: str) -> Selecting | None:
    offered, _, problem = text.removeprefix(APPROACHES_HEAD).partition(BOUNDARY + PROBLEM_HEAD)
    # A name and its hint share the line; the unknown strategy has no hint.
    hints = {match["code"]: match["name"].partition(". ")[2] for match in _APPROACH.finditer(offered)}
    approaches = tuple(Approach(code, _plain(hint)) for code, hint in hints.items())
    return Selecting(problem.strip(), approaches) if approaches else None


def _problem_and_hint(text: str) -> tuple[str, str]:
    problem, head, hint = text.removeprefix(PROBLEM_HEAD).rpartition(BOUNDARY + APPROACH_HEAD)
    return (problem.strip(), _plain(hint)) if head else (hint.strip(), "")


def _steps_so_far(written: str) -> tuple[str, ...]:
    """The finished steps; a last one that was cut off counts if its calculation or answer is there already."""
    *steps, last = written.split(BOUNDARY)
    if equation_in(last) is not None or "\\boxed{" in last:
        steps.append(last)
    return without_blanks(steps)


def without_blanks(steps: Sequence[str]) -> tuple[str, ...]:
    """The steps without empty ones, but for those at the end: no path has them once something is written behind."""
    count = len(steps)
    while count and not steps[count - 1]:
        count -= 1
    return (*(step for step in steps[:count] if step), *steps[count:])


def _plain(hint: str) -> str:
    return " ".join(hint.split())
