"""huggingface_hub's own client works with our engines, and says and understands the same as ours."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from engine_servers import scripted, tgi_app
from huggingface_hub import AsyncInferenceClient

from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engine_server.simulated.template import render
from ssr.engines.base import ChatMessage, Engine, Finish, Sampling
from ssr.engines.stops import cut_at_stop
from ssr.engines.tgi import TgiEngine

MESSAGES = solving("Tom has 17 apples and buys 25 more × 2. How many?", NO_STRATEGY)
PROMPT = render(MESSAGES)
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
    # Without a prefix cache, or the second to ask would be served out of the first one's tokens.
    backend = SimulatedBackend(SimulatedSettings(latency=Latency(time_scale=0), prefix_cache_tokens=0))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_server(backend, grace_s=1))
        yield await stack.enter_async_context(TgiEngine(url)), url


@pytest.mark.parametrize(("ours", "theirs"), GENERATIONS)
@pytest.mark.parametrize("path", ["", "/generate"])
async def test_generations_are_equal(
    engine: tuple[Engine, str], path: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    returned = await engine[0].generate(PROMPT, **ours)
    async with AsyncInferenceClient(model=engine[1] + path) as client:
        output = await client.text_generation(PROMPT, details=True, **theirs)
    assert cut_at_stop(output.generated_text, ours.get("stop", ()))[0] == returned.text != ""
    assert output.details is not None
    assert output.details.generated_tokens == returned.tokens == len(output.details.tokens)


@pytest.mark.parametrize(("ours", "theirs"), GENERATIONS)
async def test_streams_are_equal(engine: tuple[Engine, str], ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    async with aclosing(engine[0].stream(PROMPT, **ours)) as pieces:
        returned = [piece async for piece in pieces]
    async with AsyncInferenceClient(model=f"{engine[1]}/generate_stream") as client:
        events = [event async for event in await client.text_generation(PROMPT, details=True, stream=True, **theirs)]
    end = returned[-1].end
    assert end is not None
    assert (
        cut_at_stop("".join(e.token.text for e in events if not e.token.special), ours.get("stop", ()))[0] == end.text
    )
    assert events[-1].details is not None
    assert events[-1].details.generated_tokens == end.tokens == len(events)
    assert events[-1].details.input_length == end.prompt_tokens


DIALOGUE = [{"role": m.role, "content": m.content} for m in MESSAGES]


async def test_a_dialogue_is_completed_as_its_prompt_is(engine: tuple[Engine, str]) -> None:
    returned = await engine[0].generate(PROMPT, max_tokens=120)
    async with AsyncInferenceClient(base_url=engine[1]) as client:
        output = await client.chat_completion(
            DIALOGUE, max_tokens=120, temperature=0.0, logprobs=True, top_logprobs=3, seed=None
        )
    (choice,) = output.choices
    assert (choice.message.role, choice.message.content) == ("assistant", returned.text)
    assert choice.finish_reason == {Finish.EOS: "stop", Finish.LENGTH: "length"}[returned.finish]
    assert (output.usage.prompt_tokens, output.usage.completion_tokens) == (returned.prompt_tokens, returned.tokens)
    assert choice.logprobs is not None
    assert len(choice.logprobs.content) == returned.tokens
    assert len(choice.logprobs.content[0].top_logprobs) == 3


async def test_a_dialogue_is_streamed(engine: tuple[Engine, str]) -> None:
    returned = await engine[0].generate(PROMPT, max_tokens=120)
    async with AsyncInferenceClient(base_url=engine[1]) as client:
        events = [
            event
            async for event in await client.chat_completion(
                DIALOGUE, max_tokens=120, temperature=0.0, stream=True, stream_options={"include_usage": True}
            )
        ]
    assert "".join(choice.delta.content or "" for event in events for choice in event.choices) == returned.text
    assert events[-2].choices[0].finish_reason == "stop"
    assert events[-1].usage.completion_tokens == returned.tokens


async def test_a_sampled_dialogue_that_stops_at_a_text(engine: tuple[Engine, str]) -> None:
    async with AsyncInferenceClient(base_url=engine[1]) as client:
        output = await client.chat_completion(
            DIALOGUE, model="any", max_tokens=120, temperature=0.6, top_p=1.0, seed=7, stop=["\n\n"]
        )
        listed = await client.chat_completion(DIALOGUE, max_tokens=2)
    assert output.choices[0].message.content.endswith("\n\n")
    assert output.choices[0].finish_reason == "stop_sequence"
    assert listed.usage.completion_tokens == 2


@pytest.mark.parametrize(
    "asked", [{"tools": [{"type": "function"}]}, {"n": 2}, {"messages": []}, {"max_tokens": 10**9}, {"temperature": -1}]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_dialogues_that_are_refused(engine: tuple[Engine, str], asked: dict[str, Any], stream: bool) -> None:
    async with ClientSession() as session:
        url = f"{engine[1]}/v1/chat/completions"
        async with session.post(url, json={"messages": DIALOGUE, "stream": stream, **asked}) as response:
            text = await response.text()
    assert response.status == 422 or (stream and '"http_status_code":422' in text)


async def test_the_hubs_client_works_with_the_embedded_engine() -> None:
    models = Path(os.environ.get("SSR_MODELS_DIR", "~/.cache/ssr/models")).expanduser()
    path = models / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.exists():
        pytest.skip(f"the model is not at {path}")
    pytest.importorskip("xllamacpp")
    from ssr.engine_server.embedded.backend import EmbeddedBackend
    from ssr.engine_server.embedded.settings import EmbeddedSettings

    settings = EmbeddedSettings(
        model_path=path, model_id="SmolLM2", slots=1, threads=1, context_tokens=512, max_total_tokens=512
    )
    asked: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False, "details": True}
    chat: dict[str, Any] = {"max_tokens": 12, "temperature": 0.0}
    async with running_server(EmbeddedBackend(settings)) as url, TgiEngine(url) as ours:
        prompt = await ours.render([ChatMessage("user", "What is 17 + 25?")])
        returned = await ours.generate(prompt, max_tokens=12)
        async with AsyncInferenceClient(model=url) as client:
            whole = await client.text_generation(prompt, **asked)
            events = [event async for event in await client.text_generation(prompt, stream=True, **asked)]
        async with AsyncInferenceClient(base_url=url) as client:
            turns = [{"role": "user", "content": "What is 17 + 25?"}]
            answer = await client.chat_completion(turns, **chat)
            chunks = [chunk async for chunk in await client.chat_completion(turns, stream=True, **chat)]
    assert whole.generated_text == returned.text != ""
    assert whole.details is not None
    assert len(whole.details.tokens) == returned.tokens
    assert "".join(event.token.text for event in events if not event.token.special) == returned.text
    assert answer.choices[0].message.content == returned.text
    assert answer.usage.prompt_tokens == returned.prompt_tokens
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == returned.text


async def test_requests_are_equal() -> None:
    async with scripted(tgi_app) as server:
        async with TgiEngine(server.url) as client:
            for ours, _ in GENERATIONS:
                await client.generate("What is 3 × 4?", **ours)
        async with AsyncInferenceClient(model=f"{server.url}/generate") as hub:
            for _, theirs in GENERATIONS:
                await hub.text_generation("What is 3 × 4?", details=True, **theirs)
        bodies = [_asked(body) for body in server.bodies("/generate")]
    half = len(GENERATIONS)
    assert bodies[:half] == bodies[half:]


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    # The hub's client also says that it wants no stream, which /generate does not know; it leaves no stops out.
    body["parameters"]["stop"] = body["parameters"].get("stop") or []
    return {name: value for name, value in body.items() if name != "stream"}
