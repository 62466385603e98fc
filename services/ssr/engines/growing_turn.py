"""The steps of a turn that an engine streams, with their tokens and how long they took."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ssr.core.path_stream import behind
from ssr.core.prompts import closed_thinking
from ssr.core.step_cutter import StepCutter
from ssr.core.steps import join_path, open_text
from ssr.core.thinking import OPEN, is_thinking, without_empty_thinking
from ssr.core.types import Call, Options, PathContext, Source, Step
from ssr.engines.base import Finish, Generation, Piece

#: Digits behind the point of a step's log probability: further ones depend on what the sums began with, and equal steps
#: of two streams, of which one began behind the other's first steps, are to be equal.
_LOGPROB_DIGITS = 9


def mean_logprob(spoken: float, tokens: int) -> float:
    """A step's, of the sum of its tokens' log probabilities."""
    return round(spoken / tokens, _LOGPROB_DIGITS)


@dataclass(frozen=True, slots=True)
class StreamedStep:
    """A step out of a stream: `raw` is what has come of the one behind it, or of itself where it ended the turn.

    `prompt_tokens` and `cached_tokens` are the stream's as far as its engine has reported; `first`: it is the stream's
    first step. `calls` are those that were made for it beside the stream. `logprob`: the mean of its tokens' log
    probabilities; where tokens came as one text, each has their mean.
    """

    index: int
    text: str
    raw: str
    tokens: int
    prompt_tokens: int | None
    cached_tokens: int | None
    first: bool
    ends_turn: bool = False
    calls: tuple[Call, ...] = ()
    logprob: float | None = None


class HeldPlace:
    """For how long a stream has held its place on an engine, parted by what came of it; by the loop's clock."""

    def __init__(self) -> None:
        self._since: float | None = None

    def seen(self, piece: Piece) -> None:
        """The stream's first piece tells when it began."""
        if piece.seconds is not None:
            self._since = asyncio.get_running_loop().time() - piece.seconds

    def lap(self) -> float | None:
        """Seconds since it began, or since the last lap; None where nobody has measured that."""
        if self._since is None:
            return None
        before, self._since = self._since, asyncio.get_running_loop().time()
        return self._since - before


class GrowingTurn:
    """Takes the pieces of one stream behind `context`; `begun` is what the template has written of the turn.

    A step ends where `StepCutter` says, or is cut at its limit of `options`: `max_step_tokens`, and for a step that
    begins inside its thinking what the path may still think. `done`: nothing more of the stream is wanted; `last` is
    then its last step, which its caller may complete, if it has not been given. `context` and `options` are those
    behind the steps given.
    """

    def __init__(self, context: PathContext, options: Options, begun: str) -> None:
        self.context, self.options = context, options
        self.done = False
        self.last: StreamedStep | None = None
        self._thinks = is_thinking(join_path(context.steps) + begun)
        self._given = self._from = self._seen = 0  # steps, the tokens up to the last one's end, and those of all pieces
        # Tokens and their log probabilities' sum, up to the last step's end, before the piece at hand, and behind it.
        self._spoken: float | None = 0.0
        self._before: tuple[int, float | None] = (0, 0.0)
        self._behind: tuple[int, float | None] = (0, 0.0)
        self._cutter = StepCutter(open_text(context.steps))
        self._cutter.feed(begun)

    def take(self, piece: Piece) -> Iterator[StreamedStep]:
        """The steps that are complete with `piece`; tokens of one part of it are parted by their characters."""
        if piece.end is None and "\n" not in piece.text and piece.tokens - self._from < self._limit:
            self._cutter.feed(piece.text)  # no step can end here
            self._before, self._behind = self._behind, (piece.tokens, piece.logprob)
            self._seen = piece.tokens
            return
        for part in piece.parted():
            self._before, self._behind = self._behind, (part.tokens, part.logprob)
            yield from self._take(part)
            if self.done:
                return

    def _take(self, piece: Piece) -> Iterator[StreamedStep]:
        texts = self._cutter.feed(piece.text)
        ends = self._parted(texts, piece)
        for text, end in zip(texts, ends, strict=True):
            step = self._step(text, piece, end)
            if self._overthought(step):
                self._end(self._without_more_thinking(step))
                return
            yield self._advanced(step)
        if piece.end is not None:
            self._end_of_stream(piece, piece.end)
        elif piece.tokens - self._from >= self._limit:
            yield from self._cut(piece)

    def _parted(self, texts: Sequence[str], piece: Piece) -> list[int]:
        """The tokens up to the end of each step that ended in a piece."""
        fresh = piece.tokens - self._seen
        self._seen = piece.tokens
        if len(texts) < 2 and (fresh < 2 or not self._cutter.unfinished):
            return [piece.tokens] * len(texts)
        chars = list(accumulate(map(len, texts)))
        whole = max(1, chars[-1] + len(self._cutter.unfinished)) if chars else 1
        return [piece.tokens - fresh + round(fresh * char / whole) for char in chars]

    @property
    def _limit(self) -> int:
        """Tokens of the step under way, at most."""
        thinking = self.options.max_thinking_tokens
        if self._thinks and thinking is not None:
            return min(self.options.max_step_tokens, max(1, thinking))
        return self.options.max_step_tokens

    def _cut(self, piece: Piece) -> Iterator[StreamedStep]:
        step = self._step(self._cutter.rest(cut=True), piece, piece.tokens)
        if self._overthought(step):
            self._end(self._without_more_thinking(step))
        elif not step.text:
            self._end(step)
        else:
            yield self._advanced(step)
            self._cutter = StepCutter(open_text(self.context.steps))

    def _end_of_stream(self, piece: Piece, end: Generation) -> None:
        ends_turn = end.finish is not Finish.LENGTH
        step = self._step(self._cutter.rest(cut=not ends_turn), piece, end.tokens, ends_turn=ends_turn)
        if not ends_turn and self._overthought(step):
            step = self._without_more_thinking(step)
        self.done = True
        if ends_turn or step.text or not self._given:
            self.last = step

    def _end(self, step: StreamedStep) -> None:
        self.last, self.done = step, True

    def _step(self, text: str, piece: Piece, until: int, *, ends_turn: bool = False) -> StreamedStep:
        steps, end = self.context.steps, piece.end
        if not steps:  # a model that may think and does not says so at the beginning of its turn, by thinking nothing
            text = without_empty_thinking(text)
        known = (end.prompt_tokens, end.cached_tokens) if end else (piece.prompt_tokens, piece.cached_tokens)
        tokens, raw = until - self._from, self._cutter.unfinished
        spoken = self._spoken_until(until)
        logprob = None
        if spoken is not None and self._spoken is not None and tokens > 0:
            logprob = mean_logprob(spoken - self._spoken, tokens)
        return StreamedStep(
            len(steps), text, raw, tokens, *known, first=not self._given, ends_turn=ends_turn, logprob=logprob
        )

    def _spoken_until(self, token: int) -> float | None:
        """The sum of the log probabilities of so many tokens, of which the last came with the piece at hand."""
        (before, low), (behind, high) = self._before, self._behind
        if low is None or high is None:
            return None
        return high if behind <= before else low + (high - low) * (min(token, behind) - before) / (behind - before)

    def _advanced(self, step: StreamedStep) -> StreamedStep:
        behind_it = Step(step.index, step.text, Source.UNKNOWN, step.tokens)
        self.context, self.options = behind(self.context, self.options, behind_it)
        self._given, self._from = self._given + 1, self._from + step.tokens
        self._spoken = self._spoken_until(self._from)
        if self._thinks or OPEN in step.text:
            self._thinks = is_thinking(join_path(self.context.steps))
        return step

    def _overthought(self, step: StreamedStep) -> bool:
        """Whether the path has thought as long as it may with this step, and would go on."""
        left = self.options.max_thinking_tokens
        return left is not None and step.tokens >= left and is_thinking(join_path((*self.context.steps, step.text)))

    def _without_more_thinking(self, step: StreamedStep) -> StreamedStep:
        return replace(step, text=closed_thinking(step.text))
