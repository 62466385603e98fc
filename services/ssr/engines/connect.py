"""From settings to a pool of engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ssr.engines.attempts import PoolLimits
from ssr.engines.base import Engine
from ssr.engines.call_observer import CallObserver
from ssr.engines.openai import OpenAiEngine
from ssr.engines.openai_requests import ServerKind
from ssr.engines.pool import EnginePool
from ssr.engines.replicas import resolver_of
from ssr.engines.settings import EngineSettings
from ssr.engines.templates import ChatTemplate
from ssr.engines.tgi import TgiEngine


@asynccontextmanager
async def open_engine(settings: EngineSettings, observer: CallObserver | None = None) -> AsyncIterator[EnginePool]:
    """The engine that `settings` describes, open until the context is left; `observer` sees its calls.

    Raises `CapabilityMissing` when the chat template cannot be read. The engine itself need not be up.
    """
    template = await asyncio.to_thread(ChatTemplate.read, settings.chat_template) if settings.chat_template else None
    limits = PoolLimits(
        max_in_flight=settings.max_in_flight,
        attempts=settings.attempts,
        timeout_s=settings.timeout_s,
        refresh_s=settings.refresh_s,
        gathered=settings.gather_jobs,
    )
    connect = _connector(settings, template)
    async with EnginePool(resolver_of(settings.urls), connect, limits, observer=observer) as pool:
        yield pool


def _connector(settings: EngineSettings, template: ChatTemplate | None) -> Callable[[str], Engine]:
    """Makes the client of one replica from its URL."""
    key = settings.api_key.get_secret_value() if settings.api_key else None

    def tgi(url: str) -> Engine:
        return TgiEngine(
            url,
            parameters=settings.parameters,
            template=template,
            api_key=key,
            timeout_s=settings.timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_in_flight,
            seeded=settings.seeded,
        )

    def openai(url: str) -> Engine:
        return OpenAiEngine(
            url,
            kind=ServerKind(settings.kind),
            model=settings.model,
            parameters=settings.parameters,
            template=template,
            api_key=key,
            timeout_s=settings.timeout_s,
            connect_timeout_s=settings.connect_timeout_s,
            max_connections=settings.max_in_flight,
            seeded=settings.seeded,
            standard_only=settings.standard_only,
            priorities=settings.priorities,
            logprobs=settings.logprobs,
        )

    return tgi if settings.kind == "tgi" else openai
