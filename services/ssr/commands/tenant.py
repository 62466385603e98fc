"""Who asks: an option of every command that calls a server."""

from __future__ import annotations

from typing import Annotated

import typer

from ssr.core.limits import check_tenant

#: The variable that names the tenant, for all commands.
TENANT_VARIABLE = "SSR_TENANT"

TenantOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", envvar=TENANT_VARIABLE, help="Ask as this tenant. Default: the server's default one."),
]


def checked_tenant(tenant: str | None) -> str:
    """The tenant, "" where none is given. Raises: InvalidRequest."""
    if tenant is None:
        return ""
    check_tenant(tenant)
    return tenant
