"""/v1/batches: the batch object of the gRPC API, made of a file's lines."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ssr.client import AsyncClient, Batch, File
from ssr.core.errors import InvalidRequest, NotFound, SsrError
from ssr.gateway import fields
from ssr.gateway.asking import fingerprint_of
from ssr.gateway.batch_input import ENDPOINTS, Line, LineError, read_lines
from ssr.gateway.batch_output import jobs_of
from ssr.gateway.batch_record import (
    PURPOSE,
    BatchRecord,
    batch_id_of,
    batch_object,
    failed_record,
    read_record,
    record_of,
)
from ssr.gateway.caller import ApiCaller
from ssr.gateway.errors import ApiError, from_ssr, refused
from ssr.gateway.gateway import Gateway
from ssr.gateway.replies import JsonReply
from ssr.gateway.response_request import metadata_of

_KNOWN = ("input_file_id", "endpoint", "completion_window", "metadata")
_NEUTRAL: dict[str, tuple[object, ...]] = {"output_expires_after": ()}
_DEFAULT_LIST, _MAX_LIST = 20, 100
#: Records that are looked through for the one that a retry is of.
_RECENT = 100
_AT_A_TIME = 16
_PLACE = re.compile(r"requests\[(\d+)\]\.?(.*)")


class BatchesApi:
    """Answers /v1/batches."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, request: Request) -> Response:
        caller, body = ApiCaller.of(request), fields.read_json(await request.body())
        fields.check_known(body, _KNOWN, _NEUTRAL)
        endpoint = fields.text(body, "endpoint")
        if endpoint not in ENDPOINTS:
            raise refused("endpoint", f"must be one of {', '.join(ENDPOINTS)}", "unsupported_value")
        if body.get("completion_window") != "24h":
            raise refused("completion_window", "must be 24h", "unsupported_value")
        file_id = fields.text(body, "input_file_id") or ""
        base = BatchRecord(
            f"batch_{uuid.uuid4().hex}",
            "",
            endpoint,
            file_id,
            int(time.time()),
            metadata=metadata_of(body),
            fingerprint=fingerprint_of(caller.api_key, caller.idempotency_key, body),
        )
        client = self._gateway.acting_for(caller)
        try:
            record, batch = await self._made(client, caller, base)
        except SsrError as error:
            raise from_ssr(error, {"file_id": "input_file_id"}) from None
        return JsonReply(batch_object(record, batch))

    async def _made(
        self, client: AsyncClient, caller: ApiCaller, base: BatchRecord
    ) -> tuple[BatchRecord, Batch | None]:
        """The batch of a request, or the one that an earlier try of it made."""
        recent, _ = await client.files.list(purpose=PURPOSE, limit=_RECENT)
        before = next((file for file in recent if file.name == base.fingerprint), None)
        if before is not None and self._is_a_try(caller, before):
            record = record_of((await client.files.get(before.file_id, content=True)).content)
            return record, await _jobs_now(client, record)
        try:
            content = (await client.files.get(base.input_file_id, content=True)).content
        except NotFound:
            raise ApiError(
                404, f"No such File object: {base.input_file_id[:80]}", param="input_file_id", code="not_found"
            ) from None
        lines, errors = await asyncio.to_thread(
            read_lines, content, base.endpoint, self._gateway.models, self._gateway.plain
        )
        if errors:
            return await _kept(client, failed_record(base, errors)), None
        after = "0" if before is None else str(round(before.created.timestamp() * 1000))
        try:
            batch = await client.create_batch(
                [line.item for line in lines], idempotency_key=f"{base.fingerprint}-{after}"
            )
        except InvalidRequest as error:
            if not (errors := _line_errors(error)):
                raise
            return await _kept(client, failed_record(base, errors)), None
        return await _kept(client, _with_jobs(base, batch, lines)), batch

    def _is_a_try(self, caller: ApiCaller, before: File) -> bool:
        settings = self._gateway.settings
        within_s = settings.join_retry_s if caller.retry else settings.join_s
        return bool(caller.idempotency_key) or time.time() - before.created.timestamp() <= within_s

    async def list(self, request: Request) -> Response:
        limit = fields.list_limit(request.query_params.get("limit"), _DEFAULT_LIST, _MAX_LIST)
        client, after = self._client(request), request.query_params.get("after", "")
        try:
            files, more = await client.files.list(purpose=PURPOSE, limit=limit, after=after)
            listed = [await self._fields(client, await read_record(client, file.file_id)) for file in files]
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply(fields.list_object(listed, has_more=more))

    async def get(self, request: Request) -> Response:
        client = self._client(request)
        try:
            record = await read_record(client, request.path_params["id"])
            return JsonReply(await self._fields(client, record))
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def cancel(self, request: Request) -> Response:
        """Cancels what has not ended; what has stays, and is in the output file."""
        client = self._client(request)
        try:
            record = await read_record(client, request.path_params["id"])
            batch = await _jobs_now(client, record)
            if batch is not None and not batch.done:
                record = await _kept(client, record.cancelling())
                await _cancel_all(client, record)
            return JsonReply(await self._fields(client, record))
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def _fields(self, client: AsyncClient, record: BatchRecord) -> dict[str, Any]:
        return batch_object(record, await _jobs_now(client, record))

    def _client(self, request: Request) -> AsyncClient:
        return self._gateway.acting_for(ApiCaller.of(request))


async def _jobs_now(client: AsyncClient, record: BatchRecord) -> Batch | None:
    return await client.get_batch(record.jobs, 1) if record.jobs else None


async def _kept(client: AsyncClient, record: BatchRecord) -> BatchRecord:
    await record.keep(client)
    return record


def _with_jobs(base: BatchRecord, batch: Batch, lines: list[Line]) -> BatchRecord:
    # Its id follows from that of the jobs, so that two tries at a time keep one record.
    return BatchRecord(
        batch_id_of(batch.batch_id),
        batch.batch_id,
        base.endpoint,
        base.input_file_id,
        int(batch.created.timestamp()),
        tuple(line.custom_id for line in lines),
        base.metadata,
        fingerprint=base.fingerprint,
    )


def _line_errors(error: InvalidRequest) -> list[LineError]:
    """What the orchestrator refused of the lines, which are without the empty ones here."""
    found = [(_PLACE.fullmatch(violation.field), violation.message) for violation in error.violations]
    return [
        LineError(int(place[1]) + 1, "invalid_value", f"{place[2]}: {message}", place[2] or None)
        for place, message in found
        if place
    ]


async def _cancel_all(client: AsyncClient, record: BatchRecord) -> None:
    free = asyncio.Semaphore(_AT_A_TIME)

    async def cancel(job_id: str) -> None:
        async with free:
            try:
                await client.cancel(job_id)
            except NotFound:
                return

    open_jobs = [job.job_id for job in await jobs_of(client, record) if not job.status.final]
    await asyncio.gather(*map(cancel, open_jobs))
