"""What a path's steps amount to, brought up to date with every step in constant time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from ssr.core.answers import boxed, ends_in_box
from ssr.core.steps import MIN_DISTINCTIVE_CHARS, SHORT_STEP_RUN, CutText, step_key
from ssr.core.thinking import CLOSE, is_thinking, opens, outside, said
from ssr.core.types import Step


class _Phase(Enum):
    """Where a path stands: before its first step, inside its thinking, behind that, or without any."""

    BLANK = auto()
    THINKING = auto()
    ANSWERING = auto()
    PLAIN = auto()

    def behind(self, text: str) -> _Phase:
        """Where a path stands behind `text`, which begins here."""
        if is_thinking(text):
            return _Phase.THINKING
        if CLOSE in text:
            return _Phase.ANSWERING
        return _Phase.PLAIN if self is _Phase.BLANK else self


class _Heard:
    """Which step first said a thing. Shared by the versions of a growing path, each of which sees what is its own."""

    def __init__(self, first: dict[int, int] | None = None, count: int = 0) -> None:
        self._first, self._count = first or {}, count

    def before(self, key: int, count: int) -> bool:
        """Whether one of the first `count` steps said it."""
        return self._first.get(key, count) < count

    def with_step(self, key: int, count: int) -> _Heard:
        """With what step number `count` says; a copy where another version has gone on already."""
        heard = self
        if self._count != count:
            heard = _Heard({key: step for key, step in self._first.items() if step < count}, count)
        heard._first.setdefault(key, count)
        heard._count = count + 1
        return heard


@dataclass(frozen=True, slots=True)
class Progress:
    """A path so far. `tokens` are its steps'; `thinking_tokens` those of them in steps that begin inside its thinking.

    `repeats`: its last step says again what one before it said (`core.steps.is_repeated`).
    """

    count: int = 0
    tokens: int = 0
    thinking_tokens: int = 0
    repeats: bool = False
    _phase: _Phase = _Phase.BLANK
    #: What was written since the last blank line between steps, and where the path stood before that.
    _last: str = ""
    _before: _Phase = _Phase.BLANK
    _cut: bool = False
    #: How often in a row the last step was said, and by which key.
    _run: int = 0
    _key: int = 0
    _heard: _Heard = field(default_factory=_Heard, compare=False, repr=False)
    _step: Step | None = field(default=None, compare=False, repr=False)

    def is_of(self, steps: Sequence[Step]) -> bool:
        """Whether it is that of these steps, as far as their number and the last one show."""
        return self.count == len(steps) and (self._step is steps[-1] if steps else True)

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Progress:
        progress = cls()
        for step in steps:
            progress = progress.then(step)
        return progress

    def then(self, step: Step) -> Progress:
        """One step further."""
        text = step_key(step.text)
        key = hash(text)
        run = self._run + 1 if self.count and key == self._key else 1
        long = len(text) >= MIN_DISTINCTIVE_CHARS
        before, last = (self._before, self._last + step.text) if self._cut else (self._phase, step.text)
        phase = before.behind(last)
        thinks = self._phase is _Phase.THINKING or opens(step.text)
        return Progress(
            count=self.count + 1,
            tokens=self.tokens + step.tokens,
            thinking_tokens=self.thinking_tokens + (step.tokens if thinks else 0),
            repeats=self._heard.before(key, self.count) if long else run >= SHORT_STEP_RUN,
            _phase=phase,
            _last=last,
            _before=before,
            _cut=isinstance(step.text, CutText),
            _run=run,
            _key=key,
            _heard=self._heard.with_step(key, self.count),
            _step=step,
        )

    @property
    def thinking(self) -> bool:
        """Whether the path is in the middle of its thinking."""
        return self._phase is _Phase.THINKING

    @property
    def answer(self) -> str | None:
        """The boxed answer of the last step, with the cut ones it goes on from; None without one.

        A box inside the thinking is none, and a box that is cut leaves the answer open.
        """
        if "box" not in self._last:  # nearly every step
            return None
        # Behind the thinking, one more tag ends none.
        answering = self._before is _Phase.ANSWERING
        text = outside(self._last) if answering else said(self._last, thinking=self._before is _Phase.THINKING)
        return None if self._cut and ends_in_box(text) else boxed(text)
