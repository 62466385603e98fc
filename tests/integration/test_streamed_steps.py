"""Streams of steps out of a simulated engine: the same steps as one call each gives, wherever they are gone on with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import product

import pytest

from ssr.core.path_stream import behind
from ssr.core.run import Path, path_end
from ssr.core.stages import Written
from ssr.core.types import NO_STRATEGY, CallKind, Options, PathContext, Source, Step
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, Quality, SimulatedSettings, Thinking
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr.engines.connect import open_engine
from ssr.engines.settings import EngineSettings

PROBLEMS = ("What is (12 * 7) + 19 - 4 * 3?", "What is ((3 + 4) * 5 - 6) * 7 + 8?")


@asynccontextmanager
async def simulated(thinking: Thinking = Thinking.NO) -> AsyncIterator[Engine]:
    """An engine whose steps are often wrong, and where it does not think empty, repeated or without an answer."""
    blemishes = 0.3 if thinking is Thinking.NO else 0.0
    quality, latency = Quality(error_rate=0.3, blemish_rate=blemishes), Latency(time_scale=0)
    backend = SimulatedBackend(SimulatedSettings(quality=quality, latency=latency, thinking=thinking))
    async with running_server(backend, grace_s=1) as url, open_engine(EngineSettings(urls=(url,))) as engine:
        yield engine


async def path_of(author: Author, context: PathContext, options: Options, most: int) -> list[Written]:
    """A path to its end, or to that of its turn, by streams of at most so many steps."""
    path, written = Path(context.path, context.strategy), list[Written]()
    while path_end(path, options) is None:
        async with aclosing(author.stream(context, options, most=most)) as steps:
            async for one in steps:
                written.append(one)
                context, options = behind(context, options, one.step)
                path = path.with_step(one.step)
                if path_end(path, options):
                    break
    return written


@pytest.mark.parametrize("thinking", Thinking)
async def test_a_path_is_the_same_however_it_is_cut_into_streams(thinking: Thinking) -> None:
    options = Options(max_thinking_tokens=60, max_path_tokens=2000)
    async with simulated(thinking) as engine:
        author = Author(engine, CallKind.WRITE, Source.TARGET)
        for problem, seed in product(PROBLEMS, range(12)):
            context = PathContext("job", 0, problem, NO_STRATEGY, (), seed)
            whole = await path_of(author, context, options, 0)
            for most in (1, 2, 3):
                parts = await path_of(author, context, options, most)
                assert [one.step for one in parts] == [one.step for one in whole], (problem, seed, most)
            calls = [call for one in whole for call in one.calls]
            assert sum(one.step.tokens for one in whole) == sum(call.generated_tokens for call in calls)
            assert calls[0].prompt_tokens > 0


async def test_a_step_is_cut_at_its_limit_in_a_stream_as_in_calls() -> None:
    options = Options(max_step_tokens=7, max_path_tokens=60)
    async with simulated() as engine:
        author = Author(engine, CallKind.WRITE, Source.TARGET)
        context = PathContext("job", 0, PROBLEMS[0], NO_STRATEGY, (), 3)
        written = await path_of(author, context, options, 0)
        assert any(one.step.cut for one in written)
        assert all(one.step.tokens <= 7 for one in written if not one.step.ends_turn)


async def test_a_streams_prompt_is_accounted_once() -> None:
    async with simulated() as engine:
        author = Author(engine, CallKind.WRITE, Source.TARGET)
        context = PathContext("job", 0, PROBLEMS[0], NO_STRATEGY, (), 1)
        steps = [one async for one in author.stream(context, Options())]
        assert len(steps) > 3
        assert [one.calls[0].continued for one in steps] == [False, *[True] * (len(steps) - 1)]
        assert [bool(one.calls[0].prompt_tokens) for one in steps] == [True, *[False] * (len(steps) - 1)]
        assert isinstance(steps[0].step, Step)
