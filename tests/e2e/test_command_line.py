"""The `ssr` command as a user types it: every part in a process of its own, over real Valkey, gRPC and HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hang_limit import LIMIT_S

from ssr.client import AsyncClient
from ssr.core.job import Finished

SMOKE_MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
PROBLEM = "What is (12 * 7) + 19 - 3?"


def on_one_core() -> None:
    """Embedded engines have a thread each then: more wait for each other by spinning, where other tests run too."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@asynccontextmanager
async def ssr(*arguments: str, before: Callable[[], None] | None = None) -> AsyncIterator[Process]:
    command = (sys.executable, "-m", "ssr", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, preexec_fn=before)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def solved(*arguments: str, before: Callable[[], None] | None = None) -> tuple[int, dict[str, Any]]:
    async with asyncio.timeout(LIMIT_S), ssr("solve", "--json", *arguments, before=before) as process:
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(out)


async def serving(process: Process) -> str:
    """The address that `ssr up` prints for the orchestrator."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        async for line in process.stdout:
            words = line.decode().split()
            if "orchestrator" in words:
                return next(word for word in words if word.startswith("127.0.0.1:"))
    raise AssertionError((await process.communicate())[1].decode())


async def test_the_same_seed_gives_the_same_answer_votes_and_steps_twice() -> None:
    arguments = ("--preset", "simulated", "--paths", "5", "--seed", "1", PROBLEM)
    (status, first), (again, second) = await asyncio.gather(solved(*arguments), solved(*arguments))
    assert (status, again) == (0, 0)
    assert first["answer"] == "100"
    for field in ("answer", "votes", "strategies", "paths", "options"):
        assert first[field] == second[field]
    assert {step["source"] for path in first["paths"] for step in path["steps"]} == {"draft", "rewritten"}


async def test_one_terminal_serves_another_solves_a_third_watches(unused_tcp_port: int) -> None:
    async with ssr("up", "--preset", "simulated", "--port", str(unused_tcp_port), "--gateway-port", "0") as up:
        address = await serving(up)
        status, job = await solved("--server", address, "--seed", "3", PROBLEM)
        assert status == 0
        async with AsyncClient(address) as client:
            events = [event async for event in client.watch(job["job_id"])]
        assert isinstance(events[-1].happening, Finished)
        assert events[-1].happening.job.answer == job["answer"]
        async with asyncio.timeout(LIMIT_S), ssr("watch", job["job_id"], "--server", address) as watch:
            out, _ = await watch.communicate()
        assert watch.returncode == 0
        assert f"answer: {job['answer']}" in out.decode()


@pytest.fixture
def small_model() -> None:
    folder = Path(os.environ.get("SSR_MODELS_DIR", "~/.cache/ssr/models")).expanduser()
    if not (folder / SMOKE_MODEL).exists():
        pytest.skip(f"{SMOKE_MODEL} is not in {folder}: ssr models pull smollm2-135m")


@pytest.mark.usefixtures("small_model")
async def test_the_small_model_works_end_to_end() -> None:
    few = ("--paths", "1", "--max-path-tokens", "60")
    status, job = await solved("--preset", "smoke", "--seed", "1", *few, "What is 17 + 25?", before=on_one_core)
    assert status in (0, 3), "answered or not: so small a model may fail at it"
    assert job["status"] in ("answered", "no_answer")
    steps = [step for path in job["paths"] for step in path["steps"]]
    assert steps
    assert all(0 <= step["score"] <= 9 and step["tokens"] > 0 for step in steps)
    (model,) = job["usage"]["models"]
    assert model["parameters"] == 134_515_008
    assert model["cached_tokens"] > 0
