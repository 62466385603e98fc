"""The embedded engine over HTTP, with a real small model (SmolLM2-135M).

The model file is looked for in $SSR_MODELS_DIR, else in ~/.cache/ssr/models; without it these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hang_limit import LIMIT_S

from ssr.core.errors import InvalidRequest, NotFound, Unavailable
from ssr.engine_server.embedded.backend import EmbeddedBackend
from ssr.engine_server.embedded.settings import EmbeddedSettings
from ssr.engine_server.server.serving import running_server

MODEL = Path(os.environ.get("SSR_MODELS_DIR") or Path.home() / ".cache/ssr/models") / "SmolLM2-135M-Instruct.Q4_1.gguf"
SLOTS = 4

pytestmark = [
    pytest.mark.skipif(not MODEL.exists(), reason=f"needs the model file {MODEL}"),
    pytest.mark.asyncio(loop_scope="module"),
]


def settings(**changes: Any) -> EmbeddedSettings:
    values: dict[str, Any] = {
        "model_path": MODEL,
        "threads": 1,  # two wait for each other by spinning, for ever where something else runs too
        "model_id": "smollm2",
        "context_tokens": 2048,
        "max_total_tokens": 1024,
    }
    return EmbeddedSettings(**(values | {"slots": SLOTS, "cache_ram_mib": 64} | changes))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend() -> EmbeddedBackend:
    return EmbeddedBackend(settings())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(backend: EmbeddedBackend) -> AsyncIterator[aiohttp.ClientSession]:
    async with running_server(backend, grace_s=1) as url, aiohttp.ClientSession(url) as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prompt(http: aiohttp.ClientSession) -> str:
    question = {"role": "user", "content": "Count from one to twenty, one number a line."}
    return str((await post(http, "/chat_tokenize", messages=[question]))["templated_text"])


async def post(http: aiohttp.ClientSession, path: str, **body: Any) -> Any:
    async with http.post(path, json=body) as response:
        reply = await response.json()
        assert response.status == 200, reply
        return reply


async def generate(http: aiohttp.ClientSession, prompt: str, **parameters: Any) -> Any:
    return await post(http, "/generate", inputs=prompt, parameters={"details": True, **parameters})


async def stream(http: aiohttp.ClientSession, prompt: str, **parameters: Any) -> list[dict[str, Any]]:
    body = {"inputs": prompt, "parameters": {"details": True, **parameters}}
    async with http.post("/generate_stream", json=body) as response:
        return [json.loads(line[5:]) async for line in response.content if line.startswith(b"data:")]


async def test_greedy_says_the_same_twice_and_whole_as_streamed(http: aiohttp.ClientSession, prompt: str) -> None:
    await generate(http, prompt, max_new_tokens=1)  # a warm prefix cache for all three
    first, second = [await generate(http, prompt, max_new_tokens=7) for _ in range(2)]
    events = await stream(http, prompt, max_new_tokens=7)
    assert first["generated_text"] == second["generated_text"] == events[-1]["generated_text"]
    assert "".join(event["token"]["text"] for event in events) == first["generated_text"]
    assert first["details"]["finish_reason"] == "length"
    assert first["details"]["generated_tokens"] == len(events) == 7


async def test_a_seed_reproduces_a_sample(http: aiohttp.ClientSession, prompt: str) -> None:
    async def sample(seed: int) -> str:
        reply = await generate(http, prompt, max_new_tokens=16, temperature=1.5, do_sample=True, seed=seed)
        assert reply["details"]["seed"] == seed
        return str(reply["generated_text"])

    await sample(1)
    assert await sample(2) == await sample(2)
    assert len({await sample(seed) for seed in range(3)}) > 1


async def test_the_stop_text_stays_and_ends_the_text(http: aiohttp.ClientSession) -> None:
    reply = await generate(http, "1\n2\n3\n4\n", max_new_tokens=50, stop=["7", "\n8"])
    assert reply["details"]["finish_reason"] == "stop_sequence"
    assert reply["generated_text"].endswith("7")
    assert "".join(token["text"] for token in reply["details"]["tokens"]) == reply["generated_text"]


async def test_the_end_of_turn_is_a_token_but_no_text(http: aiohttp.ClientSession) -> None:
    messages = [{"role": "user", "content": "Say: hi"}]
    prompt = (await post(http, "/chat_tokenize", messages=messages))["templated_text"]
    reply = await generate(http, prompt, max_new_tokens=200)
    last = reply["details"]["tokens"][-1]
    assert (reply["details"]["finish_reason"], last["special"], last["text"]) == ("eos_token", True, "<|im_end|>")
    assert "<|im_end|>" not in reply["generated_text"]


async def test_candidates_are_a_sorted_part_of_a_distribution(http: aiohttp.ClientSession) -> None:
    reply = await generate(http, "The score from 0 to 9 is ", max_new_tokens=3, top_n_tokens=20)
    for token, top in zip(reply["details"]["tokens"], reply["details"]["top_tokens"], strict=True):
        logprobs = [candidate["logprob"] for candidate in top]
        assert len(top) == 20
        assert all(a >= b for a, b in pairwise(logprobs))
        assert 0.1 < sum(map(math.exp, logprobs)) <= 1 + 1e-6
        assert token == top[0]  # greedy


async def test_a_prompt_s_prefix_is_processed_once(http: aiohttp.ClientSession) -> None:
    prompt = "A text that no other test begins with. " * 5
    headers = []
    for tail in ("One", "Two"):
        async with http.post("/generate", json={"inputs": prompt + tail, "parameters": {"max_new_tokens": 1}}) as reply:
            headers.append(reply.headers)
    assert int(headers[1]["x-cached-tokens"]) > 0.8 * int(headers[1]["x-prompt-tokens"])
    [event] = await stream(http, prompt + "Three", max_new_tokens=1)
    assert event["details"]["cached_length"] > 0.8 * event["details"]["input_length"]


async def test_the_prompt_has_no_tokens_that_the_template_has_not_written(
    http: aiohttp.ClientSession, prompt: str
) -> None:
    pieces = await post(http, "/tokenize", inputs=prompt)
    assert [piece["text"] for piece in pieces[:2]] == ["<|im_start|>", "system"]
    assert "".join(piece["text"] for piece in pieces) == prompt
    reply = await generate(http, prompt, max_new_tokens=1)
    [event] = await stream(http, prompt, max_new_tokens=1)
    assert event["details"]["input_length"] == len(pieces)
    assert reply["details"]["generated_tokens"] == 1


async def test_a_character_of_many_tokens_arrives_whole(http: aiohttp.ClientSession) -> None:
    events = await stream(http, "สวัสดี สวัสดี สวัสดี สวัส", max_new_tokens=6)
    assert len(events) == 6
    assert "�" not in events[-1]["generated_text"]
    assert any(not event["token"]["text"] for event in events)


async def test_more_requests_than_slots_all_get_their_tokens(
    http: aiohttp.ClientSession, backend: EmbeddedBackend
) -> None:
    async with asyncio.TaskGroup() as group:
        calls = [
            # Together they need more than the context of 2048 tokens holds.
            group.create_task(generate(http, f"Story {n}: once upon a time", max_new_tokens=500, stop=["e", "a", "t"]))
            for n in range(2 * SLOTS)
        ]
    assert {call.result()["details"]["finish_reason"] for call in calls} == {"stop_sequence"}
    assert (backend.metrics().running, backend.metrics().queued) == (0, 0)


async def settled(backend: EmbeddedBackend) -> None:
    """Waits for an empty batch, which no event announces: metrics are for asking."""
    async with asyncio.timeout(LIMIT_S):
        while backend.metrics().running:
            await asyncio.sleep(0.005)


async def test_a_client_that_goes_away_frees_its_slot(http: aiohttp.ClientSession, backend: EmbeddedBackend) -> None:
    for _ in range(2 * SLOTS):
        body = {"inputs": "1, 2, 3, 4,", "parameters": {"max_new_tokens": 900}}
        async with http.post("/generate_stream", json=body) as response:
            await response.content.readline()
            assert backend.metrics().running == 1
            response.close()
        await settled(backend)
    # llama.cpp itself has stopped too, or these would wait for up to 900 tokens of each of the others.
    async with asyncio.timeout(LIMIT_S):
        await generate(http, "1, 2, 3, 4,", max_new_tokens=2)


async def test_the_server_reports_about_the_model(http: aiohttp.ClientSession) -> None:
    async with http.get("/info") as response:
        info = await response.json()
    assert (info["model_id"], info["parameters"], info["max_total_tokens"]) == ("smollm2", 134_515_008, 1024)
    async with http.get("/health") as response:
        assert response.status == 200


async def test_a_model_that_died_is_unhealthy_and_unavailable() -> None:
    backend = EmbeddedBackend(settings(context_tokens=1024))
    async with running_server(backend, grace_s=1) as url, aiohttp.ClientSession(url) as http:
        assert backend._server is not None
        await backend._server.stop()
        async with http.get("/health") as response:
            assert response.status == 503
        async with http.post("/generate", json={"inputs": "a"}) as response:
            assert (response.status, (await response.json())["error_type"]) == (503, "healthcheck")


async def test_a_model_file_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.gguf"):
        await EmbeddedBackend(settings(model_path=tmp_path / "missing.gguf")).__aenter__()
    (tmp_path / "page.gguf").write_text("<html>not found</html>")
    with pytest.raises(InvalidRequest, match=r"page\.gguf"):
        await EmbeddedBackend(settings(model_path=tmp_path / "page.gguf")).__aenter__()
    with MODEL.open("rb") as whole:
        (tmp_path / "half.gguf").write_bytes(whole.read(1_000_000))
    with pytest.raises(Unavailable, match=r"half\.gguf.*damaged"):
        await EmbeddedBackend(settings(model_path=tmp_path / "half.gguf")).__aenter__()


async def test_paths_that_take_turns_keep_their_caches(http: aiohttp.ClientSession, prompt: str) -> None:
    """Each goes on right behind a stop text, which ends the request in llama.cpp before its time."""
    texts = [f"{name}: {prompt}" for name in ("Ann", "Ben", "Cid")]
    shares = []
    for turn in range(3):
        for path, text in enumerate(texts):
            parameters = {"details": True, "max_new_tokens": 24, "stop": ["\n"], "do_sample": True, "seed": turn}
            async with http.post("/generate", json={"inputs": text, "parameters": parameters}) as response:
                texts[path] += (await response.json())["generated_text"] + " And"
                cached, whole = (int(response.headers[f"x-{name}-tokens"]) for name in ("cached", "prompt"))
            shares.append(cached / whole)
    assert min(shares[3:]) > 0.7, shares
