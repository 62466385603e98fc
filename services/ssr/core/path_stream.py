"""The steps of a path that one model writes, out of one stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Protocol, Self

from ssr.core.errors import BadReply
from ssr.core.run import Run
from ssr.core.stages import Written
from ssr.core.steps import join_path
from ssr.core.thinking import is_thinking, opens
from ssr.core.types import Options, PathContext, Step

#: What a writer is asked for the next step of a path, given the run.
Ask = Callable[[Run], tuple[PathContext, Options]]


class OpenStream(Protocol):
    """`core.stages.StepWriter.stream`."""

    def __call__(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]: ...


def behind(context: PathContext, options: Options, step: Step) -> tuple[PathContext, Options]:
    """What is asked behind a step that followed `context`, the path having in `options` what it had left before it."""
    left, thinking = options.max_path_tokens - step.tokens, options.max_thinking_tokens
    if thinking and (opens(step.text) or is_thinking(join_path(context.steps))):
        thinking = max(0, thinking - step.tokens)
    return (
        replace(context, steps=(*context.steps, step.text)),
        replace(
            options,
            max_path_tokens=left,
            max_step_tokens=min(options.max_step_tokens, left),
            max_thinking_tokens=thinking,
        ),
    )


class PathStream:
    """Opens the stream with the first step, and again only where it ends before the path does.

    An async context manager: leaving it closes the stream.
    """

    def __init__(self, open_stream: OpenStream, ask: Ask) -> None:
        self._open, self._ask = open_stream, ask
        self._steps: AsyncGenerator[Written, None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._steps is not None:
            await self._steps.aclose()

    async def next(self, run: Run) -> Written:
        """The step behind those of `run`, in which all steps given before are committed as they were.

        Raises: what the writer raises.
        """
        if self._steps is not None and (written := await anext(self._steps, None)) is not None:
            return written
        self._steps = self._open(*self._ask(run))
        if (written := await anext(self._steps, None)) is None:
            raise BadReply("a stream of steps ended without one")
        return written


class StepByStep:
    """A `core.stages.StepWriter` by its `write`, which writes one step."""

    async def write(self, context: PathContext, options: Options) -> Written:
        raise NotImplementedError

    async def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        """One step after the other, as long as the path has tokens for one and its turn has not ended."""
        given, ended = 0, False
        while not ended:
            written = await self.write(context, options)
            context, options = behind(context, options, written.step)
            given += 1
            ended = given == most or written.step.ends_turn or options.max_path_tokens < 1
            yield written
