"""Calls of the client that are about many jobs, or about the server, and are answered at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Unpack, cast

from ssr.client.batch import Batch, BatchItem, ServerInfo, batch_from_wire, server_info_from_wire
from ssr.client.connection import Connection
from ssr.client.deadline import Deadline
from ssr.client.pools import PoolStatus, pools_from_wire
from ssr.client.request import NO_LABELS, SolveOptions, list_request, solve_request
from ssr.core.job import JobPage, JobStatus, Priority
from ssr.runtime.rpc.job_wire import job_from_wire
from ssr.v1 import reasoning_pb2


class ServerCalls:
    """What `AsyncClient` has of them."""

    def __init__(self, connection: Connection, timeout_s: float | None) -> None:
        self._connection, self._timeout_s = connection, timeout_s

    async def list(
        self,
        limit: int = 50,
        page_token: str = "",
        *,
        tenant: str = "",
        statuses: Iterable[JobStatus | str] = (),
        labels: Mapping[str, str] = NO_LABELS,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
    ) -> JobPage:
        """Up to `limit` (1..500) jobs without their paths, newest first, from where a page before ended.

        Of a tenant, with any of the statuses, all of the labels, created from one time on and before another; what is
        left out is any.
        """
        request = list_request(limit, page_token, tenant, statuses, labels, (created_from, created_before))
        reply = await self._connection.call(self._connection.stub.List, request, self._deadline())
        return JobPage(tuple(job_from_wire(job) for job in reply.jobs), reply.next_page_token)

    async def create_batch(
        self,
        problems: Sequence[str | BatchItem],
        *,
        idempotency_key: str = "",
        priority: Priority | str = Priority.BATCH,
        labels: Mapping[str, str] = NO_LABELS,
        **options: Unpack[SolveOptions],
    ) -> Batch:
        """Queue 1..1000 problems as one object; all of them are checked before any is queued.

        A `BatchItem` has options and labels of its own over those of all.
        """
        items = [BatchItem(one) if isinstance(one, str) else one for one in problems]
        requests = [
            solve_request(
                item.problem,
                "",
                cast(SolveOptions, {**options, **item.options}),
                item.priority or priority,
                {**labels, **item.labels},
            )
            for item in items
        ]
        request = reasoning_pb2.CreateBatchRequest(requests=requests, idempotency_key=idempotency_key or new_key())
        return batch_from_wire(
            await self._connection.call(self._connection.stub.CreateBatch, request, self._deadline())
        )

    async def get_batch(self, batch_id: str, limit: int = 100, page_token: str = "") -> Batch:
        """The batch as it is now, with up to `limit` (1..500) of its jobs."""
        request = reasoning_pb2.GetBatchRequest(batch_id=batch_id, limit=limit, page_token=page_token)
        return batch_from_wire(await self._connection.call(self._connection.stub.GetBatch, request, self._deadline()))

    async def delete(self, job_id: str) -> None:
        """Remove a job with all that is kept of it, for good; one that is not finished is cancelled first."""
        request = reasoning_pb2.DeleteJobRequest(job_id=job_id)
        await self._connection.call(self._connection.stub.DeleteJob, request, self._deadline())

    async def server_info(self) -> ServerInfo:
        """What the server is and takes."""
        request = reasoning_pb2.GetServerInfoRequest()
        return server_info_from_wire(
            await self._connection.call(self._connection.stub.GetServerInfo, request, self._deadline())
        )

    async def pools(self) -> tuple[PoolStatus, ...]:
        """The engine pools as their callers report them. Raises: BadReply where the server does not know this call."""
        request = reasoning_pb2.GetPoolsRequest()
        return pools_from_wire(await self._connection.call(self._connection.stub.GetPools, request, self._deadline()))

    def _deadline(self) -> Deadline:
        return Deadline(self._timeout_s)


def new_key() -> str:
    """An idempotency key that nobody has."""
    return uuid.uuid4().hex
