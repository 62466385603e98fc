"""TgiEngine and huggingface_hub's client, asked the same, send the same and understand the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from ssr.core.errors import SsrError
from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engine_server.simulated.template import render
from ssr.engines.base import GREEDY, Engine, Sampling
from ssr.engines.tgi import TgiEngine

from .engine_servers import scripted, tgi_app
from .hub_engine import HubEngine

PROMPT = render(solving("Tom has 17 apples and buys 25 more × 2. How many?", NO_STRATEGY))
GENERATIONS: list[dict[str, Any]] = [
    {"max_tokens": 120},
    {"max_tokens": 120, "stop": ["\n\n"]},
    {"max_tokens": 3, "stop": ["\n\n", "never"]},
    {"max_tokens": 120, "stop": ["\n\n"], "sampling": Sampling(temperature=0.6, top_p=0.95, seed=2**40)},
    {"max_tokens": 50, "sampling": Sampling(temperature=1.0, top_p=1.0, seed=3)},
    {"max_tokens": 2, "sampling": Sampling(temperature=0.0, top_p=0.5, seed=3)},
]


@pytest.fixture
def backend() -> SimulatedBackend:
    # Without a prefix cache, or the second to ask would be told of the first one's tokens.
    return SimulatedBackend(SimulatedSettings(latency=Latency(time_scale=0), prefix_cache_tokens=0))


@pytest.fixture
async def engines(backend: SimulatedBackend) -> AsyncIterator[tuple[Engine, Engine]]:
    async with AsyncExitStack() as stack:
        serving = running_server(backend, grace_s=1, extend=lambda app: add_simulated_routes(app, backend))
        url = await stack.enter_async_context(serving)
        yield await stack.enter_async_context(TgiEngine(url)), await stack.enter_async_context(HubEngine(url))


@pytest.mark.parametrize("asked", GENERATIONS)
async def test_generations_are_equal(engines: tuple[Engine, Engine], asked: dict[str, Any]) -> None:
    ours, theirs = [await engine.generate(PROMPT, **asked) for engine in engines]
    assert ours == theirs
    assert ours.text
    assert ours.prompt_tokens == await engines[0].count_tokens(PROMPT)


@pytest.mark.parametrize("top_n", [1, 5, 20, 50])
async def test_next_tokens_are_equal(engines: tuple[Engine, Engine], top_n: int) -> None:
    ours, theirs = [await engine.next_token(PROMPT, top_n=top_n) for engine in engines]
    assert ours == theirs
    assert ours.candidates


@pytest.mark.parametrize("fault", ["overloaded", "failed", "incomplete", "truncated", "reset"])
async def test_faults_are_the_same_errors(
    engines: tuple[Engine, Engine], backend: SimulatedBackend, fault: str
) -> None:
    kinds: list[type[SsrError]] = []
    for engine in engines:
        backend.faults.set(FaultPlan(next_requests={FaultKind(fault): 1}))
        with pytest.raises(SsrError) as raised:
            await engine.generate(PROMPT, max_tokens=50)
        kinds.append(type(raised.value))
    assert kinds[0] is kinds[1]


async def test_requests_are_equal() -> None:
    async with scripted(tgi_app) as server:
        for engine in (TgiEngine(server.url), HubEngine(server.url)):
            async with engine:
                for asked in GENERATIONS:
                    await engine.generate("What is 3 × 4?", **asked)
                await engine.generate("Again", max_tokens=1, sampling=GREEDY)
                await engine.next_token("Score:", top_n=3)
        bodies = [_told(body) for body in server.bodies("/generate")]
    half = len(bodies) // 2
    assert half == len(GENERATIONS) + 2
    assert bodies[:half] == bodies[half:]


def _told(body: dict[str, Any]) -> dict[str, Any]:
    # The hub's client also says that it wants no stream, which /generate does not know.
    return {name: value for name, value in body.items() if name != "stream"}
