"""/v1/files: the input of batches, kept by the orchestrator, and their output, made of their jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ssr.client import AsyncClient, File
from ssr.core.errors import InvalidRequest, NotFound, SsrError
from ssr.gateway import fields
from ssr.gateway.batch_output import output_lines
from ssr.gateway.batch_record import PURPOSE, BatchRecord, read_record
from ssr.gateway.caller import ApiCaller
from ssr.gateway.errors import ApiError, from_ssr, refused
from ssr.gateway.gateway import Gateway
from ssr.gateway.replies import JsonReply

_UPLOADED = "batch"
_OUTPUT = re.compile(r"file-(batch_[A-Za-z0-9]+)-(output|error)")
_FIELDS = ("purpose", "file", "expires_after[anchor]", "expires_after[seconds]")
_MIN_KEPT_S = 3600
_MAX_NAME_CHARS = 256
_DEFAULT_LIST, _MAX_LIST = 100, 1000


class Files:
    """Answers /v1/files."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, request: Request) -> Response:
        """The same content under the same name is the same file: an upload that is tried again costs nothing."""
        if "authorization" not in request.headers:  # which pages of other origins cannot send without being asked
            message = "send an Authorization header, with any key where none is asked for"
            raise ApiError(401, message, "authentication_error", None, "invalid_api_key")
        caller = ApiCaller.of(request)
        if request.headers.get("content-type", "").partition(";")[0] != "multipart/form-data":
            raise ApiError(415, "send multipart/form-data with purpose and file", code="unsupported_media_type")
        async with request.form(max_files=1, max_fields=8) as form:
            for name in form:
                if name not in _FIELDS:
                    raise refused(name, "is unknown", "unknown_parameter")
            if form.get("purpose") != _UPLOADED:
                raise refused("purpose", f"must be {_UPLOADED}", "unsupported_value")
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise refused("file", "is needed, as a file of the form", "missing_required_parameter")
            kept_s = _kept_s(form.get("expires_after[anchor]"), form.get("expires_after[seconds]"))
            content, name = await upload.read(), (upload.filename or "")[:_MAX_NAME_CHARS]
        if len(content) > self._gateway.settings.max_file_bytes:
            raise self._gateway.too_large(self._gateway.settings.max_file_bytes)
        digest = hashlib.sha256(f"{name}\n{kept_s}\n".encode("utf-8", "surrogatepass") + content).hexdigest()[:32]
        client = self._gateway.acting_for(caller)
        try:
            file = await client.files.put(f"file-{digest}", content, name=name, purpose=_UPLOADED, kept_s=kept_s)
        except InvalidRequest as error:
            raise from_ssr(error, {"content": "file", "kept_s": "expires_after"}) from None
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply(_object(file))

    async def list(self, request: Request) -> Response:
        """Uploaded files, newest first."""
        asked = request.query_params
        limit = fields.list_limit(asked.get("limit"), _DEFAULT_LIST, _MAX_LIST)
        if asked.get("purpose", _UPLOADED) != _UPLOADED:
            return JsonReply(fields.list_object([], has_more=False))
        try:
            files, more = await self._client(request).files.list(
                purpose=_UPLOADED, limit=limit, after=asked.get("after", "")
            )
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply(fields.list_object([_object(file) for file in files], has_more=more))

    async def get(self, request: Request) -> Response:
        client, file_id = self._client(request), request.path_params["id"]
        try:
            if output := await self._output(client, file_id):
                record, lines = output
                size = sum([len(line) async for line in lines])
                return JsonReply(_output_object(file_id, record, size))
            return JsonReply(_object(await _uploaded(client, file_id)))
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def content(self, request: Request) -> Response:
        client, file_id = self._client(request), request.path_params["id"]
        try:
            if output := await self._output(client, file_id):
                return StreamingResponse(output[1], media_type="application/jsonl")
            file = await _uploaded(client, file_id, content=True)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return Response(file.content, media_type="application/octet-stream")

    async def delete(self, request: Request) -> Response:
        """An output cannot be deleted: delete the jobs, or let them expire."""
        client, file_id = self._client(request), request.path_params["id"]
        if _OUTPUT.fullmatch(file_id):
            raise refused("file_id", "is made of its batch's jobs, which expire by themselves", "unsupported_value")
        try:
            await _uploaded(client, file_id)
            await client.files.delete(file_id)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply({"id": file_id, "object": "file", "deleted": True})

    async def _output(self, client: AsyncClient, file_id: str) -> tuple[BatchRecord, AsyncGenerator[bytes]] | None:
        """The batch that a file is of, and the file's lines; None for one that was uploaded."""
        if not (named := _OUTPUT.fullmatch(file_id)):
            return None
        record = await read_record(client, named[1])
        batch = await client.get_batch(record.jobs, 1) if record.jobs else None
        if batch is None or not batch.done:
            raise _no_file(file_id)
        chars = self._gateway.settings.content_chars
        return record, output_lines(client, record, chars, failed=named[2] == "error")

    def _client(self, request: Request) -> AsyncClient:
        return self._gateway.acting_for(ApiCaller.of(request))


async def _uploaded(client: AsyncClient, file_id: str, *, content: bool = False) -> File:
    try:
        file = await client.files.get(file_id, content=content)
    except NotFound:
        raise _no_file(file_id) from None
    if file.purpose == PURPOSE:
        raise _no_file(file_id)
    return file


def _no_file(file_id: str) -> ApiError:
    return ApiError(404, f"No such File object: {file_id[:80]}", param="id", code="not_found")


def _kept_s(anchor: object, seconds: object) -> int:
    if anchor is None and seconds is None:
        return 0
    if anchor != "created_at":
        raise refused("expires_after", "its anchor must be created_at", "unsupported_value")
    if not (isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) <= 9):
        raise refused("expires_after", "its seconds must be a whole number")
    if int(seconds) < _MIN_KEPT_S:
        raise refused("expires_after", f"its seconds must be at least {_MIN_KEPT_S}")
    return int(seconds)


def _object(file: File) -> dict[str, Any]:
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created.timestamp()),
        "expires_at": int(file.expires.timestamp()),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }


def _output_object(file_id: str, record: BatchRecord, size: int) -> dict[str, Any]:
    return {
        "id": file_id,
        "object": "file",
        "bytes": size,
        "created_at": record.created_at,
        "filename": f"{file_id.removeprefix('file-')}.jsonl",
        "purpose": "batch_output",
        "status": "processed",
    }
