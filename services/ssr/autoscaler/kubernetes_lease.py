"""A Kubernetes Lease as a lock, with the rules of client-go's leader election, so that both agree on who holds it.

Clocks of different machines are never compared. A candidate measures with its own clock how long it has seen the same
record; a holder that has not renewed it for the record's duration is gone. `resourceVersion` lets one of several
writers win. A Lease that is deleted sets nobody free: who has seen its holder waits all the same.

The service account needs, in the namespace:

    coordination.k8s.io/leases  get, update (of the Lease by name), create (which no name can limit)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ssr.autoscaler.kubernetes_api import FIELD_MANAGER, Changed, KubernetesApi
from ssr.core.errors import NotFound

if TYPE_CHECKING:
    from kubernetes.aio.client import V1Lease, V1LeaseSpec

#: The duration in a record that nobody holds, in seconds; as client-go's.
_RELEASED_S = 1


class KubernetesLease:
    """Implements Lock. `holder` is this replica's name, which no other may have.

    Raises as KubernetesApi.call. A call that failed may have been done: what the Lease says is read anew every time.
    """

    def __init__(
        self,
        api: KubernetesApi,
        name: str,
        holder: str,
        *,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._name, self._holder, self._clock = api, name, holder, clock
        # The API counts whole seconds; rounding down would let others in early.
        self._lease_s = math.ceil(lease_s)
        self._seen: V1LeaseSpec | None = None
        self._seen_at = 0.0
        self._tried = False

    async def hold(self) -> bool:
        try:
            return await self._take()
        except Changed:
            # Another candidate, or a person who labels it: what is there now decides.
            return await self._take()

    async def release(self) -> None:
        if not self._tried:
            return
        lease = await self._read()
        if lease is not None and self._observed(lease).holder_identity == self._holder:
            await self._update(lease, self._released())
        self._tried = False

    async def _take(self) -> bool:
        lease = await self._read()
        if lease is not None:
            self._observed(lease)
        if not self._may_take():
            return False
        self._tried = True
        await (self._create(self._taken()) if lease is None else self._update(lease, self._taken()))
        return True

    def _observed(self, lease: V1Lease) -> V1LeaseSpec:
        """The record in it; from now on it is known how long this one has been there."""
        spec = lease.spec or self._record()
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()
        return spec

    def _may_take(self) -> bool:
        """The lock is free, ours already, or its holder has been silent for too long."""
        if self._seen is None or self._seen.holder_identity in (None, "", self._holder):
            return True
        duration_s = self._seen.lease_duration_seconds or self._lease_s
        return self._clock() - self._seen_at > duration_s

    def _taken(self) -> V1LeaseSpec:
        """The record of our lock: renewed, or taken now."""
        now, seen = _micro_time(datetime.now(UTC)), self._record()
        renewed = seen.holder_identity == self._holder
        transitions = 0 if self._seen is None else (seen.lease_transitions or 0) + (not renewed)
        return seen.model_copy(
            update={
                "holder_identity": self._holder,
                "lease_duration_seconds": self._lease_s,
                "acquire_time": _micro_time(seen.acquire_time) if renewed and seen.acquire_time else now,
                "renew_time": now,
                "lease_transitions": transitions,
            }
        )

    def _released(self) -> V1LeaseSpec:
        """The record of a lock that nobody holds."""
        now = _micro_time(datetime.now(UTC))
        return self._record().model_copy(
            update={
                "holder_identity": None,
                "lease_duration_seconds": _RELEASED_S,
                "acquire_time": now,
                "renew_time": now,
            }
        )

    def _record(self) -> V1LeaseSpec:
        """The last one seen; what others keep in it is kept."""
        from kubernetes.aio.client import V1LeaseSpec

        return self._seen or V1LeaseSpec()

    async def _read(self) -> V1Lease | None:
        api = self._api
        try:
            return await api.call(
                f"get leases/{self._name}", api.coordination.read_namespaced_lease(self._name, api.namespace)
            )
        except NotFound:
            return None

    async def _create(self, spec: V1LeaseSpec) -> None:
        from kubernetes.aio.client import V1Lease, V1ObjectMeta

        api = self._api
        lease = V1Lease(metadata=V1ObjectMeta(name=self._name), spec=spec)
        await api.call(
            f"create leases/{self._name}",
            api.coordination.create_namespaced_lease(api.namespace, lease, field_manager=FIELD_MANAGER),
        )

    async def _update(self, lease: V1Lease, spec: V1LeaseSpec) -> None:
        """Raises: Changed where it is not `lease` any more, as its resourceVersion shows."""
        api = self._api
        await api.call(
            f"update leases/{self._name}",
            api.coordination.replace_namespaced_lease(
                self._name, api.namespace, lease.model_copy(update={"spec": spec}), field_manager=FIELD_MANAGER
            ),
        )


def _micro_time(at: datetime) -> datetime:
    """As the API's MicroTime: it needs a fraction, which the client leaves out where it is 0."""
    return at if at.microsecond else at.replace(microsecond=1)
