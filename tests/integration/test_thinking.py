"""Models that think, through the real services: scripted engines as TGI and as vLLM serve them.

The pairs are those of the chart's presets: two models whose templates open the thinking (DeepSeek-R1-Distill drafts for
QwQ, on TGI) and two that open it themselves (Qwen3 twice, on vLLM); then pairs of which one thinks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from vllm_face import serving_as_vllm
from whole_system import whole_system

from ssr.client.async_client import AsyncClient
from ssr.core.job import Job, JobStatus
from ssr.core.prompts import YES_NO_QUESTION, judging
from ssr.core.steps import join_path
from ssr.core.thinking import CLOSE, OPEN, said
from ssr.core.types import NO_STRATEGY, PathContext, PathStatus, Source
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated import template
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.script import truth
from ssr.engine_server.simulated.settings import Latency, Quality, SimulatedSettings, Thinking
from ssr.engine_server.simulated.tokenizer import pieces
from ssr.engines.settings import EngineSettings

PROBLEM = "A shop sells 12 boxes of 7 pens, then 19 more pens. What is (12 * 7) + 19 - 3?"
NO, OPENED, OWN = Thinking.NO, Thinking.OPENED, Thinking.OWN


@dataclass(frozen=True)
class Api:
    """How an engine is served, and the kind by which the services know it."""

    kind: Any
    serve: Callable[[SimulatedBackend], AbstractAsyncContextManager[str]]


TGI = Api("tgi", lambda backend: running_server(backend, grace_s=1))
VLLM = Api("vllm", serving_as_vllm)


def backend(settings: SimulatedSettings, thinking: Thinking, **quality: float) -> SimulatedBackend:
    steady = {"blemish_rate": 0.0, "error_rate": settings.quality.error_rate, "judge_noise": 0.1, **quality}
    changes = {"latency": Latency(time_scale=0), "thinking": thinking, "quality": Quality(**steady)}
    return SimulatedBackend(settings.model_copy(update=changes))


@asynccontextmanager
async def system(
    redis_url: str, api: Api, draft: SimulatedBackend, target: SimulatedBackend
) -> AsyncIterator[AsyncClient]:
    """Every service, with these engines; yields a client."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        small = EngineSettings(urls=(await enter(api.serve(draft)),), kind=api.kind)
        large = EngineSettings(urls=(await enter(api.serve(target)),), kind=api.kind)
        yield await enter(whole_system(redis_url, small, large))


def turns(job: Job) -> list[str]:
    """The assistant's turn of every path that answered."""
    return [join_path([step.text for step in p.steps]) for p in job.paths if p.status is PathStatus.ANSWERED]


@pytest.mark.parametrize("mode", ["ssr", "parallel-spm", "baseline"])
@pytest.mark.parametrize(
    ("api", "thinking"), [(TGI, OPENED), (VLLM, OWN), (VLLM, OPENED)], ids=["paper", "qwen3", "qwq"]
)
async def test_a_pair_that_thinks(redis_url: str, api: Api, thinking: Thinking, mode: str) -> None:
    draft = backend(SimulatedSettings.draft(), thinking)
    target = backend(SimulatedSettings.target(), thinking, error_rate=0.0)
    async with system(redis_url, api, draft, target) as ssr:
        job = await ssr.solve(PROBLEM, mode=mode, seed=3, timeout_s=60)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, truth(PROBLEM))
    for turn in turns(job):
        assert turn.startswith(f"{OPEN}\n")
        assert turn.count(OPEN) == turn.count(CLOSE) == 1
        thought, _, answer = turn.partition(CLOSE)
        assert "\\boxed{" in thought, "a box inside the thinking is tentative"
        assert "\\boxed{" in answer
        assert answer == said(turn, thinking=False)
    assert 0 < job.usage.thinking_tokens < sum(path.tokens for path in job.paths)
    if mode == "ssr":
        assert {step.source for path in job.paths for step in path.steps} == {Source.DRAFT, Source.REWRITTEN}


@pytest.mark.parametrize("api", [TGI, VLLM], ids=["tgi", "vllm"])
@pytest.mark.parametrize("draft_thinks", [OPENED, OWN, NO])
@pytest.mark.parametrize("target_thinks", [OPENED, OWN, NO])
async def test_draft_and_target_need_not_think_alike(
    redis_url: str, api: Api, draft_thinks: Thinking, target_thinks: Thinking
) -> None:
    draft = backend(SimulatedSettings.draft(), draft_thinks)
    target = backend(SimulatedSettings.target(), target_thinks, error_rate=0.0)
    async with system(redis_url, api, draft, target) as ssr:
        job = await ssr.solve(PROBLEM, mode="ssr", paths=3, seed=5, early_stop=False, timeout_s=60)
    assert (job.status, job.answer) == (JobStatus.ANSWERED, truth(PROBLEM))
    assert {path.status for path in job.paths} == {PathStatus.ANSWERED}
    assert job.usage.rewritten_steps > 0
    if draft_thinks is NO is target_thinks:
        assert job.usage.thinking_tokens == 0
        assert OPEN not in "".join(turns(job))


@pytest.mark.parametrize(("api", "thinking"), [(TGI, OPENED), (VLLM, OWN)], ids=["paper", "qwen3"])
@pytest.mark.parametrize("budget", [0, 30])
async def test_thinking_ends_with_its_budget_and_the_path_answers(
    redis_url: str, api: Api, thinking: Thinking, budget: int
) -> None:
    draft = backend(SimulatedSettings.draft(), thinking)
    target = backend(SimulatedSettings.target(), thinking, error_rate=0.0)
    async with system(redis_url, api, draft, target) as ssr:
        job = await ssr.solve(
            PROBLEM, mode="ssr", paths=2, seed=1, early_stop=False, max_thinking_tokens=budget, timeout_s=60
        )
    assert (job.status, job.answer) == (JobStatus.ANSWERED, truth(PROBLEM))
    assert job.options.max_thinking_tokens == budget
    assert job.usage.thinking_tokens <= 2 * budget
    assert all((OPEN in turn) == (budget > 0) for turn in turns(job))
    assert all(("I stop thinking here" in turn) == (budget > 0) for turn in turns(job))


@pytest.mark.parametrize("thinking", [NO, OPENED])
@pytest.mark.parametrize("small", ["draft", "target"])
@pytest.mark.parametrize("refused", [False, True], ids=["counted", "refused"])
async def test_a_full_context_ends_a_path_with_the_steps_it_has(
    redis_url: str, thinking: Thinking, small: str, refused: bool
) -> None:
    """Whether we count the tokens or the engine refuses the prompt, and whoever has less room."""
    kinds = {"draft": SimulatedSettings.draft(), "target": SimulatedSettings.target()}
    dialogue = judging(PathContext("job", 0, PROBLEM, NO_STRATEGY, (), 0), "", YES_NO_QUESTION, "").messages
    longest = len(pieces(template.render(dialogue))) + 45  # of a path of some 100 tokens
    total = longest + (400 if refused else 0)
    limits = {"max_input_tokens": longest - refused, "max_total_tokens": total + (not refused)}
    kinds[small] = kinds[small].model_copy(update=limits)
    draft, target = (backend(one, thinking, error_rate=0.0) for one in kinds.values())
    async with system(redis_url, TGI, draft, target) as ssr:
        job = await ssr.solve(PROBLEM, mode="ssd", seed=2, timeout_s=60, lookahead=0)
    (path,) = job.paths
    assert (path.status, job.status) == (PathStatus.EXHAUSTED, JobStatus.NO_ANSWER), path.reason
    assert path.steps
    assert "context" in path.reason
