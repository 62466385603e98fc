"""Whose jobs a call may see."""

from __future__ import annotations

from typing import Any

from grpc import aio

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_labels, check_tenant
from ssr.orchestrator.queue.listing import ALL_SHOWN, JobFilter, Shown
from ssr.runtime.rpc.job_wire import asked_status
from ssr.runtime.rpc.tenant import CALLER, tenant_of
from ssr.v1 import reasoning_pb2

#: Timestamps that a client may send: from year 1 to 9999, in ms since 1970.
_MIN_S, _MAX_S = -62_135_596_800, 253_402_300_799


class Visibility:
    """With API keys a caller sees its own tenant and those under it; `apart`: each call the tenant it names alone.

    The administrator sees all.
    """

    def __init__(self, *, apart: bool = False) -> None:
        self._apart = apart

    def shown(self, context: aio.ServicerContext[Any, Any]) -> Shown:
        """Raises: PermissionDenied for a tenant that the caller does not act for."""
        caller = CALLER.get()
        if caller is None or caller.administrator:
            return ALL_SHOWN
        return Shown(tenant_of(context), below=False) if self._apart else Shown(caller.name)


def wanted_of(request: reasoning_pb2.ListRequest, shown: Shown) -> JobFilter:
    """Raises: InvalidRequest naming the filter that is wrong."""
    if request.tenant:
        check_tenant(request.tenant)
    own = {key: value for key, value in request.labels.items() if key == "ssr/batch"}
    check_labels({key: value for key, value in request.labels.items() if key not in own})
    return JobFilter(
        shown,
        request.tenant,
        frozenset(map(asked_status, request.statuses)),
        dict(request.labels),
        _ms("created_from", request.created_from) if request.HasField("created_from") else None,
        _ms("created_before", request.created_before) if request.HasField("created_before") else None,
    )


def _ms(field: str, time: Any) -> int:
    if not (_MIN_S <= time.seconds <= _MAX_S and 0 <= time.nanos < 10**9):
        raise InvalidRequest(field, f"is no time from the year 1 to 9999: {time.seconds} s, {time.nanos} ns since 1970")
    return int(time.seconds * 1000 + time.nanos // 10**6)
