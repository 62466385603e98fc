"""Who asks: the caller that an API key names, and the tenant that the metadata of a call names."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from grpc import aio

from ssr.core.errors import InvalidRequest, PermissionDenied, echoed
from ssr.core.job import DEFAULT_TENANT

#: See proto/ssr/v1/reasoning.proto, SolveRequest.
TENANT_KEY, WAITER_KEY = "x-ssr-tenant", "x-ssr-waiter"
#: As uuid.uuid4().hex, or anything else that no other caller has.
_WAITER = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has an API key: acts for the tenant of its name, and for those under it ("acme": "acme.eu" too).

    No caller's name has a ".", so that no tenant is two callers'. The administrator acts for all tenants.
    """

    name: str
    administrator: bool = False

    def acts_for(self, tenant: str) -> bool:
        return self.administrator or tenant == self.name or tenant.startswith(f"{self.name}.")


#: Of the call that the current task serves; None where calls need no API key.
CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


def tenant_of(context: aio.ServicerContext[Any, Any]) -> str:
    """The tenant of a call, its characters unchecked; without one in the metadata the caller's own, or the default.

    One that begins with "." is under the caller's own, whose name who calls need not know (an API gateway).

    Raises: PermissionDenied for a tenant that the caller does not act for.
    """
    caller, tenant = CALLER.get(), metadata_value(context, TENANT_KEY)
    own = DEFAULT_TENANT if caller is None else caller.name
    if tenant is None:
        return own
    if tenant.startswith("."):
        return own + tenant
    if caller is not None and not caller.acts_for(tenant):
        raise PermissionDenied(
            f"{TENANT_KEY}: {caller.name} acts for the tenants {caller.name} and {caller.name}.NAME; "
            f"got {echoed(tenant)}"
        )
    return tenant


def waiter_of(context: aio.ServicerContext[Any, Any]) -> str:
    """The name of a caller that submits a job for as long as it waits for it; "" for others. Raises: InvalidRequest."""
    waiter = metadata_value(context, WAITER_KEY)
    if waiter is not None and not _WAITER.fullmatch(waiter):
        raise InvalidRequest(WAITER_KEY, f"must be 1..64 of the characters A-Z a-z 0-9 -; got {echoed(waiter)}")
    return waiter or ""


def metadata_value(context: aio.ServicerContext[Any, Any], key: str) -> str | None:
    """The first value of a key in the call's metadata."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return None
