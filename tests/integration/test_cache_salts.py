"""Whose cached prefixes the calls of a job may share, through the real services."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from vllm_face import serving_as_vllm
from whole_system import whole_system

from ssr.core.job import JobStatus, Priority
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.run.stages import behalf_of
from ssr.orchestrator.settings import OrchestratorSettings

KEY = SecretStr("a key that nobody guesses")
INSTANT = {"latency": Latency(time_scale=0)}


async def salts(redis_url: str, tenants: list[str], key: SecretStr | None) -> list[set[str | None]]:
    """What the engines are sent with the jobs of these tenants, one after the other."""
    bodies: list[dict[str, Any]] = []
    found: list[set[str | None]] = []
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        urls = [
            await enter(serving_as_vllm(SimulatedBackend(one.model_copy(update=INSTANT)), bodies))
            for one in (SimulatedSettings.draft(), SimulatedSettings.target())
        ]
        small, large = (EngineSettings(urls=(url,), kind="vllm") for url in urls)
        ssr = await enter(whole_system(redis_url, small, large, cache_salt_key=key))
        for tenant in tenants:
            bodies.clear()
            job = await ssr.acting_for(tenant).solve("What is 12 * 7 + 5?", mode="ssr", paths=2, seed=3, timeout_s=60)
            assert job.status is JobStatus.ANSWERED
            assert len(bodies) > 4
            found.append({body.get("cache_salt") for body in bodies})
    return found


async def test_each_tenants_calls_have_a_salt_of_their_own(redis_url: str) -> None:
    found = await salts(redis_url, ["acme", "school-7", "acme"], KEY)
    assert [len(one) for one in found] == [1, 1, 1]  # drafting, selecting, judging and rewriting alike
    (acme,), (school,), (again,) = found
    assert acme == again != school
    assert acme is not None
    assert "acme" not in acme


async def test_without_a_key_all_tenants_share(redis_url: str) -> None:
    assert await salts(redis_url, ["acme"], None) == [{None}]


def test_a_salt_is_not_guessed_from_the_tenants_name() -> None:
    one = behalf_of("acme", Priority.BATCH, KEY)
    assert one.batch
    assert one.cache_salt != behalf_of("acme", Priority.BATCH, SecretStr("another key, quite long")).cache_salt
    assert len(one.cache_salt) == 64


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="cache_salt_key"):
        OrchestratorSettings(
            redis_url="redis://x", selector="x:1", drafter="x:1", verifier="x:1", cache_salt_key=SecretStr("short")
        )
