r"""An answer as a reader wants it: the end of the path that won, with the boxed answer.

Without a solution (a title, small talk) it is the whole text of the path, without the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.answers import boxed
from ssr.core.job import Job, JobStatus
from ssr.core.steps import join_path
from ssr.core.thinking import CLOSE, opens, said
from ssr.core.types import Step
from ssr.gateway.transcript import Transcript, reasoning_of


@dataclass(frozen=True, slots=True)
class Shape:
    """How an answer is cut: `chars` of the path's last steps; `plain`: all of it, without boxes."""

    chars: int
    plain: bool = False
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerChoice:
    """One of the answers: `tokens` are those of the steps that the content is made of."""

    reasoning: str
    content: str
    finish_reason: str
    tokens: int


def choices(job: Job, transcript: Transcript, shape: Shape, n: int, leader: int | None = None) -> list[AnswerChoice]:
    """The n best votes, or as many as there are; one without an answer if there is none.

    Of the best vote's paths it is `leader` where that is one of them.
    """
    finish = "length" if job.status is JobStatus.PARTIAL else "stop"
    shown_choices: list[AnswerChoice] = []
    for vote in job.votes[:n]:
        path = leader if not shown_choices and leader in vote.paths else vote.paths[0]
        shown_choices.append(_choice(transcript.steps(path), vote.answer, finish, shape))
    if not shown_choices:
        paths = transcript.winners()
        shown_choices.append(_choice(transcript.steps(paths[0]) if paths else (), "", finish, shape))
    return shown_choices


def _choice(steps: Sequence[Step], answer: str, finish: str, shape: Shape) -> AnswerChoice:
    content, used = _content(steps, answer, shape)
    # What is all content has no reasoning before it.
    return AnswerChoice("" if shape.plain else reasoning_of(steps), _stopped(content, shape.stops), finish, used)


def _content(steps: Sequence[Step], answer: str, shape: Shape) -> tuple[str, int]:
    """The text, and the tokens of the steps in it."""
    first = _first(steps, shape)
    text = join_path([step.text for step in steps[first:]]).strip()
    text = said(text, thinking=CLOSE in text and opens(text)).strip() if CLOSE in text else text
    tokens = sum(step.tokens for step in steps[first:])
    if shape.plain:
        return _unboxed(text, answer), tokens
    if answer and boxed(text) is None:
        text = f"{text}\n\n$\\boxed{{{answer}}}$".strip()
    return text, tokens


def _first(steps: Sequence[Step], shape: Shape) -> int:
    """Where the content begins: behind the thinking, and then as far from the end as it may be long."""
    closing = next((number for number, step in enumerate(steps) if CLOSE in step.text), None)
    if shape.plain:
        return closing or 0
    first, chars = len(steps), 0
    while first > (closing or 0):
        chars += len(steps[first - 1].text)
        if chars > shape.chars and first < len(steps):
            break
        first -= 1
    while 0 < first < len(steps) and steps[first - 1].cut:  # not in the middle of a step that was cut
        first -= 1
    return first


def _unboxed(text: str, answer: str) -> str:
    box = f"\\boxed{{{answer}}}"
    return text.replace(f"${box}$", answer).replace(box, answer) if answer else text


def _stopped(text: str, stops: Sequence[str]) -> str:
    """What is before the first of the texts that end it."""
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=len(text))]
