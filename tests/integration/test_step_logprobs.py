"""Steps have the mean log probability of their tokens where the engine reports the model's own."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from engine_servers import scripted, tgi_app
from vllm_face import serving_as_vllm

from ssr.core.stages import Written
from ssr.core.types import NO_STRATEGY, CallKind, Options, PathContext, Source
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.author import Author
from ssr.engines.base import Engine
from ssr.engines.connect import open_engine
from ssr.engines.settings import EngineSettings

CONTEXT = PathContext("job", 0, "What is 17 + 25?", NO_STRATEGY, (), 1)


def backend() -> SimulatedBackend:
    return SimulatedBackend(SimulatedSettings(latency=Latency(time_scale=0)))


@asynccontextmanager
async def engine_of(kind: str, bodies: list[dict[str, Any]], **settings: Any) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        if kind == "tgi":
            url = await stack.enter_async_context(running_server(backend()))
        else:
            url = await stack.enter_async_context(serving_as_vllm(backend(), bodies))
        yield await stack.enter_async_context(
            open_engine(EngineSettings.model_validate({"kind": kind, "urls": (url,), **settings}))
        )


async def steps_of(engine: Engine) -> list[Written]:
    author = Author(engine, CallKind.DRAFT, Source.DRAFT)
    return [written async for written in author.stream(CONTEXT, Options())]


@pytest.mark.parametrize(("kind", "settings"), [("tgi", {}), ("vllm", {"logprobs": True})])
async def test_every_step_of_an_engine_that_reports_has_its_own(kind: str, settings: dict[str, Any]) -> None:
    async with engine_of(kind, [], **settings) as engine:
        steps = await steps_of(engine)
    assert len(steps) > 1
    means = [written.step.logprob for written in steps]
    assert all(mean is not None and -20 < mean <= 0 and math.isfinite(mean) for mean in means)
    assert len(set(means)) > 1


@pytest.mark.parametrize(("kind", "settings"), [("tgi", {}), ("vllm", {"logprobs": True})])
async def test_a_step_that_is_written_alone_has_that_of_the_stream(kind: str, settings: dict[str, Any]) -> None:
    """Whether drafts are streamed depends on how fast they come: equal steps are to be equal all the same."""
    async with engine_of(kind, [], **settings) as engine:
        streamed = await steps_of(engine)
        context = CONTEXT
        for written in streamed:
            alone = await Author(engine, CallKind.DRAFT, Source.DRAFT).write(context, Options())
            assert alone.step == written.step
            context = replace(context, steps=(*context.steps, written.step.text))


async def test_vllm_is_not_asked_unless_the_settings_say_so() -> None:
    bodies: list[dict[str, Any]] = []
    async with engine_of("vllm", bodies) as engine:
        assert all(written.step.logprob is None for written in await steps_of(engine))
    assert not any("logprobs" in body for body in bodies if body.get("stream"))


async def test_tgis_own_are_those_after_warping_and_are_not_taken() -> None:
    async with scripted(tgi_app) as server, open_engine(EngineSettings(urls=(server.url,))) as engine:
        assert all(written.step.logprob is None for written in await steps_of(engine))
