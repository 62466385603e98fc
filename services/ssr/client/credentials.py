"""Who calls, as every call shows it: the tenant, and the API key."""

from __future__ import annotations

import logging
import re

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_tenant
from ssr.runtime.rpc.tenant import TENANT_KEY

#: Of a call: names and values.
Metadata = tuple[tuple[str, str], ...]

_API_KEY = re.compile(r"[!-~]+")
#: gRPC targets of this machine, by host or as a socket.
_LOCAL = re.compile(r"(\w+:/{0,3})?(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?|unix(-abstract)?:.*")

_log = logging.getLogger(__name__)


def credentials(tenant: str, api_key: str) -> Metadata:
    """Raises: InvalidRequest; it never holds the key."""
    if tenant:
        check_tenant(tenant)
    if api_key and not _API_KEY.fullmatch(api_key):
        raise InvalidRequest("api_key", "has spaces or characters beyond ASCII")
    named = ((TENANT_KEY, tenant), ("authorization", f"Bearer {api_key}" if api_key else ""))
    return tuple((name, value) for name, value in named if value)


def warn_of_plaintext(address: str) -> None:
    """Not an error: within a cluster, plaintext may be the mesh's business."""
    if not _LOCAL.fullmatch(address):
        _log.warning("the API key goes to %s in plaintext; use TLS unless the network is trusted", address)
