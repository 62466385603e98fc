"""A gateway before the whole system on simulated engines, and who calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from conftest import System
from gateway_server import gateway, http, openai_client

from ssr.client import AsyncClient
from ssr.engine_server.simulated.settings import Quality


@pytest.fixture
def simulated(simulated: dict[str, Any]) -> dict[str, Any]:
    """Models that are never wrong: jobs have no seed here, and their answers are compared."""
    return simulated | {"quality": Quality(error_rate=0, blemish_rate=0)}


@pytest.fixture
async def address(system: System, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Of a gateway with the settings that the test's module has as SETTINGS."""
    async with gateway(system.address, **getattr(request.module, "SETTINGS", {})) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """One that tries once: an error is seen as it is."""
    async with openai_client(address, max_retries=0) as client:
        yield client


@pytest.fixture
async def session(address: str) -> AsyncIterator[ClientSession]:
    async with http(address) as session:
        yield session


@pytest.fixture
async def ssr(system: System) -> AsyncIterator[AsyncClient]:
    """The gRPC API behind the gateway."""
    async with AsyncClient(system.address) as client:
        yield client
