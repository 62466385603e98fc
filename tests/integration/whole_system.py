"""Every service in this process, with the engines that a test gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ssr.client.async_client import AsyncClient
from ssr.core.acceptance import ScorerName
from ssr.drafter.servicer import running_drafter
from ssr.drafter.settings import DrafterSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.service import running_orchestrator
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.selector.servicer import running_selector
from ssr.selector.settings import SelectorSettings
from ssr.verifier.servicer import running_verifier
from ssr.verifier.settings import VerifierSettings


@asynccontextmanager
async def whole_system(
    redis_url: str, small: EngineSettings, large: EngineSettings, **orchestrator: Any
) -> AsyncIterator[AsyncClient]:
    """Yields a client. `orchestrator` are more of its settings."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        selector = await enter(running_selector(SelectorSettings(engine=large, grace_s=1)))
        drafter = await enter(running_drafter(DrafterSettings(engine=small, grace_s=1)))
        scorer = ScorerName.ARITHMETIC_JUDGE
        verifier = await enter(running_verifier(VerifierSettings(engine=large, grace_s=1, scorer=scorer)))
        settings = OrchestratorSettings(
            redis_url=redis_url,
            selector=f"127.0.0.1:{selector}",
            drafter=f"127.0.0.1:{drafter}",
            verifier=f"127.0.0.1:{verifier}",
            grace_s=1,
            **orchestrator,
        )
        port = await enter(running_orchestrator(settings))
        yield await enter(AsyncClient(f"127.0.0.1:{port}"))
