"""An engine of SSR's own as a service."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from ssr.core.errors import Unavailable
from ssr.engine_server.models.catalogue import CATALOGUE
from ssr.engine_server.models.store import ModelStore
from ssr.engine_server.server.backend import Backend
from ssr.engine_server.server.serving import Extend, running_server
from ssr.engine_server.settings import EngineKind, EngineServerSettings
from ssr.runtime.telemetry.telemetry import open_telemetry

_NOT_OURS_TO_BIND = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


@asynccontextmanager
async def running_engine(settings: EngineServerSettings, models: ModelStore) -> AsyncIterator[int]:
    """The engine that `settings` describes, serving until the block ends; yields its port.

    Raises: NotFound and InvalidRequest for the model, CapabilityMissing without llama.cpp, Unavailable when the model
    does not load or the port is taken.
    """
    backend, extend = await _backend(settings, models)
    server = running_server(backend, host=settings.host, port=settings.port, grace_s=settings.grace_s, extend=extend)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_telemetry("engine", settings))
        try:
            url = await stack.enter_async_context(server)
        except OSError as error:
            if error.errno not in _NOT_OURS_TO_BIND:
                raise
            reason = os.strerror(error.errno)
            raise Unavailable(f"cannot listen on {settings.host}:{settings.port}: {reason}") from error
        yield urlsplit(url).port or settings.port


async def _backend(settings: EngineServerSettings, models: ModelStore) -> tuple[Backend, Extend | None]:
    """The backend, not entered yet, and the routes it adds to the server's. Each kind's imports are its own."""
    if settings.kind is EngineKind.SIMULATED:
        from ssr.engine_server.simulated.backend import SimulatedBackend
        from ssr.engine_server.simulated.routes import add_simulated_routes

        simulated = SimulatedBackend(settings.simulated)
        return simulated, partial(add_simulated_routes, backend=simulated)
    from ssr.engine_server.embedded.backend import EmbeddedBackend

    path = await models.require(settings.model) if _is_name(settings.model) else settings.embedded.model_path
    return EmbeddedBackend(settings.embedded.model_copy(update={"model_path": path})), None


def _is_name(model: str) -> bool:
    """Whether a model is known by this name, or looks as if it should be. The engine reports a path without a file."""
    return model in CATALOGUE or ("/" not in model and not model.endswith(".gguf"))
