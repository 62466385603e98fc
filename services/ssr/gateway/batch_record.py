"""What is remembered of a batch, as a file of its tenant: what the jobs themselves do not say."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ssr.client import AsyncClient, Batch
from ssr.core.errors import NotFound
from ssr.core.job import JobStatus
from ssr.gateway.batch_input import LineError
from ssr.gateway.errors import ApiError

#: The purpose of files that are batches: nobody's own, and not shown as files.
PURPOSE = "ssr.batch"
_ANSWERED = (JobStatus.ANSWERED, JobStatus.NO_ANSWER, JobStatus.PARTIAL)
_PREFIX = "batch_"
_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Times in seconds since 1970; `jobs`: the batch of the gRPC API, "" where the input was wrong."""

    batch_id: str
    jobs: str
    endpoint: str
    input_file_id: str
    created_at: int
    custom_ids: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    errors: tuple[dict[str, Any], ...] = ()
    fingerprint: str = ""
    cancelling_at: int | None = None

    async def keep(self, client: AsyncClient) -> None:
        content = json.dumps(asdict(self), separators=(",", ":")).encode()
        await client.files.put(self.batch_id, content, name=self.fingerprint, purpose=PURPOSE)

    def cancelling(self) -> BatchRecord:
        return self if self.cancelling_at is not None else replace(self, cancelling_at=int(time.time()))

    @property
    def output_file(self) -> str:
        return f"file-{self.batch_id}-output"

    @property
    def error_file(self) -> str:
        return f"file-{self.batch_id}-error"


def batch_id_of(jobs: str) -> str:
    """The id of the batch that a batch of the gRPC API is."""
    return f"{_PREFIX}{jobs.removeprefix('batch-')}"


async def read_record(client: AsyncClient, batch_id: str) -> BatchRecord:
    """Raises: ApiError 404; SsrError."""
    try:
        if not batch_id.startswith(_PREFIX):
            raise NotFound("no batch")
        file = await client.files.get(batch_id, content=True)
        if file.purpose != PURPOSE:
            raise NotFound("no batch")
    except NotFound:
        message = f"No batch found with id {batch_id[:80]!r}: there is none, or it has expired"
        raise ApiError(404, message, code="not_found") from None
    return record_of(file.content)


def record_of(content: bytes) -> BatchRecord:
    of = json.loads(content)
    return BatchRecord(**{**of, "custom_ids": tuple(of["custom_ids"]), "errors": tuple(of["errors"])})


def failed_record(base: BatchRecord, errors: list[LineError]) -> BatchRecord:
    return replace(base, errors=tuple(error.fields() for error in errors))


def batch_object(record: BatchRecord, batch: Batch | None) -> dict[str, Any]:
    """The batch as OpenAI's clients know one; `batch`: its jobs as they are now."""
    counts = batch.counts if batch is not None else {}
    answered = sum(counts.get(status, 0) for status in _ANSWERED)
    ended = (batch.finished + batch.gone) if batch is not None else 0
    status = _status(record, batch)
    done = status in ("completed", "cancelled")
    failed = ended - answered
    return {
        "id": record.batch_id,
        "object": "batch",
        "endpoint": record.endpoint,
        "errors": {"object": "list", "data": list(record.errors)} if record.errors else None,
        "input_file_id": record.input_file_id,
        "completion_window": "24h",
        "status": status,
        "output_file_id": record.output_file if done and answered else None,
        "error_file_id": record.error_file if done and failed else None,
        "created_at": record.created_at,
        "in_progress_at": record.created_at if record.jobs else None,
        "expires_at": record.created_at + _DAY_S,
        "failed_at": record.created_at if record.errors else None,
        "cancelling_at": record.cancelling_at,
        "request_counts": {"total": len(record.custom_ids), "completed": answered, "failed": failed},
        "metadata": record.metadata,
    }


def _status(record: BatchRecord, batch: Batch | None) -> str:
    if record.errors or batch is None:
        return "failed"
    if record.cancelling_at is not None:
        return "cancelled" if batch.done else "cancelling"
    return "completed" if batch.done else "in_progress"
