"""Batches: many problems as one object."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from google.protobuf.timestamp_pb2 import Timestamp

from ssr.core.errors import InvalidRequest, SsrError, Violation, echoed
from ssr.core.job import JobRequest, JobStatus
from ssr.core.limits import check_key, check_labels, check_tenant
from ssr.orchestrator.api.admission import Admission
from ssr.orchestrator.api.intake import Intake, each, job_id_of
from ssr.orchestrator.queue.batch_store import BatchStore, no_batch
from ssr.orchestrator.queue.identifiers import is_identifier
from ssr.orchestrator.queue.job_store import Clock, JobStore
from ssr.orchestrator.queue.listing import Shown
from ssr.runtime.rpc.job_wire import job_to_wire, status_number
from ssr.v1 import reasoning_pb2

MAX_BATCH = 1000
#: The label of a batch's jobs.
BATCH_LABEL = "ssr/batch"
_DEFAULT_PAGE, _MAX_PAGE = 100, 500
#: Statuses that are read together.
_CHUNK = 500
_MAX_VIOLATIONS = 20


class Batches:
    """Makes batches and reports them."""

    def __init__(self, admission: Admission, intake: Intake, store: JobStore, batches: BatchStore, now: Clock) -> None:
        self._admission, self._intake, self._store = admission, intake, store
        self._batches, self._now = batches, now

    async def create(self, request: reasoning_pb2.CreateBatchRequest, tenant: str) -> str:
        """Check all requests, then queue all of them or none; the batch's id. Trying again with the same key goes on.

        Raises: InvalidRequest with every field that is wrong, as requests[3].problem; Conflict; Overloaded when there
        is no room for all, or a rate does not let all through; Unavailable.
        """
        check_tenant(tenant)
        _check(request)
        batch_id = _batch_id(tenant, request.idempotency_key)
        checked = await self._checked(request, batch_id)
        new = await self._batches.create(batch_id, _fingerprint(request), tenant, len(checked), self._now())
        making = asyncio.ensure_future(self._intake.submit_all(checked, tenant, {BATCH_LABEL: batch_id}))
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            if not request.idempotency_key:  # nobody can find what is made
                await asyncio.shield(self._abandon(making))
            raise
        except SsrError:
            if new:
                await self._batches.forget(batch_id)
            raise
        return batch_id

    async def _checked(
        self, request: reasoning_pb2.CreateBatchRequest, batch_id: str
    ) -> list[tuple[reasoning_pb2.SolveRequest, JobRequest]]:
        """The requests as those of jobs, with all defaults filled in."""
        violations: list[Violation] = []
        items = [_item(request, batch_id, number, one) for number, one in enumerate(request.requests)]
        found: dict[int, JobRequest] = {}

        async def check(number: int) -> None:
            try:
                if request.requests[number].idempotency_key:
                    raise InvalidRequest("idempotency_key", "is the batch's to have; leave it out")
                found[number] = await self._admission.check(items[number])
            except InvalidRequest as error:
                violations.extend(Violation(f"requests[{number}].{v.field}", v.message) for v in error.violations)

        await each(range(len(items)), check)
        if violations:
            raise InvalidRequest.of(sorted(violations, key=lambda v: v.field)[:_MAX_VIOLATIONS])
        return [(item, found[number]) for number, item in enumerate(items)]

    async def _abandon(self, making: asyncio.Future[list[str]]) -> None:
        with suppress(SsrError):
            for job_id in await making:
                await self._intake.cancel(job_id)

    async def get(self, request: reasoning_pb2.GetBatchRequest, shown: Shown) -> reasoning_pb2.Batch:
        """The batch as it is now. Raises: InvalidRequest, NotFound."""
        if not is_identifier(request.batch_id):
            raise no_batch(request.batch_id)
        if request.limit > _MAX_PAGE:
            raise InvalidRequest("limit", f"must be within 1..{_MAX_PAGE}; got {request.limit}")
        first = _first(request.page_token)
        batch = await self._batches.get(request.batch_id)
        if not shown(batch.tenant):
            raise no_batch(request.batch_id)
        ids = [job_id_of(batch.tenant, _key(batch.batch_id, number)) for number in range(batch.total)]
        counts = Counter([status async for status in self._statuses(ids)])
        page = ids[first : first + (request.limit or _DEFAULT_PAGE)]
        jobs = await self._store.jobs(page)
        after = first + len(page)
        created = Timestamp()
        created.FromDatetime(batch.created)
        return reasoning_pb2.Batch(
            batch_id=batch.batch_id,
            tenant=batch.tenant,
            created=created,
            total=batch.total,
            finished=sum(count for status, count in counts.items() if status is not None and status.final),
            gone=counts[None],
            counts=[
                reasoning_pb2.JobStatusCount(status=status_number(status), jobs=counts[status])
                for status in JobStatus
                if counts[status]
            ],
            jobs=[
                reasoning_pb2.Job(job_id=job_id) if job is None else job_to_wire(job)
                for job_id, job in zip(page, jobs, strict=True)
            ],
            next_page_token=str(after) if after < batch.total else "",
        )

    async def _statuses(self, ids: Sequence[str]) -> AsyncIterator[JobStatus | None]:
        for begin in range(0, len(ids), _CHUNK):
            for status in await self._store.statuses(ids[begin : begin + _CHUNK]):
                yield status


def _check(request: reasoning_pb2.CreateBatchRequest) -> None:
    if not 1 <= len(request.requests) <= MAX_BATCH:
        raise InvalidRequest("requests", f"must be 1..{MAX_BATCH}; got {len(request.requests)}")
    check_key(request.idempotency_key)
    check_labels(request.labels)


def _item(
    batch: reasoning_pb2.CreateBatchRequest, batch_id: str, number: int, one: reasoning_pb2.SolveRequest
) -> reasoning_pb2.SolveRequest:
    item = reasoning_pb2.SolveRequest()
    item.CopyFrom(one)
    item.idempotency_key = _key(batch_id, number)
    item.priority = one.priority or reasoning_pb2.PRIORITY_BATCH
    for key, value in batch.labels.items():
        if key not in item.labels:
            item.labels[key] = value
    return item


def _fingerprint(request: reasoning_pb2.CreateBatchRequest) -> str:
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def _batch_id(tenant: str, key: str) -> str:
    raw = hashlib.sha256(f"{tenant}\nbatch\n{key}".encode()).digest()[:15] if key else uuid.uuid4().bytes[:15]
    return "batch-" + base64.b32encode(raw).decode().lower()


def _key(batch_id: str, number: int) -> str:
    """The idempotency key of a batch's job."""
    return f"{batch_id}/{number}"


def _first(token: str) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal() and len(token) <= 6):
        raise InvalidRequest("page_token", f"{echoed(token)} is not one that a page before gave")
    return int(token)
