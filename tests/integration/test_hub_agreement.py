"""huggingface_hub's own client works with our engines, and says and understands the same as ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from engine_servers import scripted, tgi_app
from huggingface_hub import AsyncInferenceClient

from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engine_server.simulated.template import render
from ssr.engines.base import Engine, Sampling
from ssr.engines.stops import cut_at_stop
from ssr.engines.tgi import TgiEngine

PROMPT = render(solving("Tom has 17 apples and buys 25 more × 2. How many?", NO_STRATEGY))
#: What our client is asked, and how the hub's is asked for the same.
GENERATIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 120}, {"max_new_tokens": 120, "do_sample": False}),
    ({"max_tokens": 120, "stop": ["\n\n"]}, {"max_new_tokens": 120, "do_sample": False, "stop": ["\n\n"]}),
    ({"max_tokens": 3, "stop": ["never"]}, {"max_new_tokens": 3, "do_sample": False, "stop": ["never"]}),
    (
        {"max_tokens": 120, "sampling": Sampling(temperature=0.6, top_p=0.95, seed=2**40)},
        {"max_new_tokens": 120, "do_sample": True, "temperature": 0.6, "top_p": 0.95, "seed": 2**40},
    ),
    (
        {"max_tokens": 50, "sampling": Sampling(temperature=1.0, top_p=1.0, seed=3)},
        {"max_new_tokens": 50, "do_sample": True, "temperature": 1.0, "seed": 3},
    ),
]


@pytest.fixture
async def engine() -> AsyncIterator[tuple[Engine, str]]:
    """Our client, and the URL."""
    # Without a prefix cache, or the second to ask would be told of the first one's tokens.
    backend = SimulatedBackend(SimulatedSettings(latency=Latency(time_scale=0), prefix_cache_tokens=0))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(backend, grace_s=1))
        yield await stack.enter_async_context(TgiEngine(url)), url


@pytest.mark.parametrize(("ours", "theirs"), GENERATIONS)
@pytest.mark.parametrize("path", ["", "/generate"])
async def test_generations_are_equal(
    engine: tuple[Engine, str], path: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    told = await engine[0].generate(PROMPT, **ours)
    async with AsyncInferenceClient(model=engine[1] + path) as client:
        output = await client.text_generation(PROMPT, details=True, **theirs)
    assert cut_at_stop(output.generated_text, ours.get("stop", ()))[0] == told.text != ""
    assert output.details is not None
    assert output.details.generated_tokens == told.tokens == len(output.details.tokens)


@pytest.mark.parametrize(("ours", "theirs"), GENERATIONS)
async def test_streams_are_equal(engine: tuple[Engine, str], ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    async with aclosing(engine[0].stream(PROMPT, **ours)) as pieces:
        told = [piece async for piece in pieces]
    async with AsyncInferenceClient(model=f"{engine[1]}/generate_stream") as client:
        events = [event async for event in await client.text_generation(PROMPT, details=True, stream=True, **theirs)]
    end = told[-1].end
    assert end is not None
    assert (
        cut_at_stop("".join(e.token.text for e in events if not e.token.special), ours.get("stop", ()))[0] == end.text
    )
    assert events[-1].details is not None
    assert events[-1].details.generated_tokens == end.tokens == len(events)
    assert events[-1].details.input_length == end.prompt_tokens


async def test_requests_are_equal() -> None:
    async with scripted(tgi_app) as server:
        async with TgiEngine(server.url) as client:
            for ours, _ in GENERATIONS:
                await client.generate("What is 3 × 4?", **ours)
        async with AsyncInferenceClient(model=f"{server.url}/generate") as hub:
            for _, theirs in GENERATIONS:
                await hub.text_generation("What is 3 × 4?", details=True, **theirs)
        bodies = [_told(body) for body in server.bodies("/generate")]
    half = len(GENERATIONS)
    assert bodies[:half] == bodies[half:]


def _told(body: dict[str, Any]) -> dict[str, Any]:
    # The hub's client also says that it wants no stream, which /generate does not know; it leaves no stops out.
    body["parameters"]["stop"] = body["parameters"].get("stop") or []
    return {name: value for name, value in body.items() if name != "stream"}
