"""Who asks, as the metadata of a call tells it."""

from __future__ import annotations

from typing import Any

from grpc import aio

from ssr.core.job import DEFAULT_TENANT

#: See proto/ssr/v1/reasoning.proto, SolveRequest.
TENANT_KEY = "x-ssr-tenant"


def tenant_of(context: aio.ServicerContext[Any, Any]) -> str:
    """The tenant of a call, unchecked; the default one where the metadata has none."""
    for key, value in context.invocation_metadata() or ():
        if key == TENANT_KEY:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return DEFAULT_TENANT
