"""FileService: files of callers."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from ssr.core.errors import InvalidRequest, echoed, plain
from ssr.core.limits import check_tenant
from ssr.orchestrator.file_settings import FileSettings
from ssr.orchestrator.queue.file_store import FileStore, StoredFile, no_file
from ssr.orchestrator.queue.job_store import Clock
from ssr.runtime.rpc.tenant import tenant_of
from ssr.v1 import files_pb2, files_pb2_grpc

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_NAME, _MAX_PURPOSE = 256, 64
_DEFAULT_LIST, _MAX_LIST = 100, 1000

_Context = aio.ServicerContext[Any, Any]


class FileServicer(files_pb2_grpc.FileServiceServicer):
    """Keeps files of each tenant apart."""

    def __init__(self, store: FileStore, settings: FileSettings, now: Clock) -> None:
        self._store, self._settings, self._now = store, settings, now

    async def PutFile(  # noqa: N802 - gRPC's name
        self, request: files_pb2.PutFileRequest, context: _Context
    ) -> files_pb2.File:
        tenant = _tenant(context)
        self._check(request)
        now = self._now()
        kept_s = request.kept_s or self._settings.kept_s
        file = StoredFile(
            request.file_id, request.name, request.purpose, len(request.content), now, now + 1000 * kept_s
        )
        await self._store.put(tenant, file, request.content)
        return _message(file)

    async def GetFile(  # noqa: N802 - gRPC's name
        self, request: files_pb2.GetFileRequest, context: _Context
    ) -> files_pb2.File:
        tenant = _tenant(context)
        message = _message(await self._store.get(tenant, _asked_for(request.file_id), self._now()))
        if request.with_content:
            message.content = await self._store.content(tenant, request.file_id)
        return message

    async def ListFiles(  # noqa: N802 - gRPC's name
        self, request: files_pb2.ListFilesRequest, context: _Context
    ) -> files_pb2.ListFilesResponse:
        tenant = _tenant(context)
        if request.limit > _MAX_LIST:
            raise InvalidRequest("limit", f"must be within 1..{_MAX_LIST}; got {request.limit}")
        files = await self._store.list(tenant, self._now())
        if request.purpose:
            files = [file for file in files if file.purpose == request.purpose]
        if request.after:
            places = [place for place, file in enumerate(files) if file.file_id == request.after]
            if not places:
                raise InvalidRequest("after", f"{echoed(request.after)} is no file that there is")
            files = files[places[0] + 1 :]
        limit = request.limit or _DEFAULT_LIST
        return files_pb2.ListFilesResponse(files=map(_message, files[:limit]), has_more=len(files) > limit)

    async def DeleteFile(  # noqa: N802 - gRPC's name
        self, request: files_pb2.DeleteFileRequest, context: _Context
    ) -> files_pb2.DeleteFileResponse:
        tenant = _tenant(context)
        await self._store.delete(tenant, _asked_for(request.file_id))
        return files_pb2.DeleteFileResponse()

    def _check(self, request: files_pb2.PutFileRequest) -> None:
        settings = self._settings
        checks = (
            ("file_id", bool(_ID.fullmatch(request.file_id)), "must be 1..64 of the characters A-Z a-z 0-9 _ -"),
            ("name", len(request.name) <= _MAX_NAME, f"must have at most {_MAX_NAME} characters"),
            ("purpose", len(request.purpose) <= _MAX_PURPOSE, f"must have at most {_MAX_PURPOSE} characters"),
            (
                "content",
                len(request.content) <= settings.max_bytes,
                f"must have at most {plain(settings.max_bytes)} bytes; got {plain(len(request.content))}",
            ),
            ("kept_s", request.kept_s <= settings.kept_s, f"must be at most {settings.kept_s}; got {request.kept_s}"),
        )
        wrong = [(field, message) for field, good, message in checks if not good]
        if wrong:
            raise InvalidRequest(*wrong[0])


def _tenant(context: _Context) -> str:
    tenant = tenant_of(context)
    check_tenant(tenant)
    return tenant


def _asked_for(file_id: str) -> str:
    """Raises: NotFound where no file can have that id."""
    if not _ID.fullmatch(file_id):
        raise no_file(file_id)
    return file_id


def _message(file: StoredFile) -> files_pb2.File:
    created, expires = Timestamp(), Timestamp()
    created.FromMilliseconds(file.created_ms)
    expires.FromMilliseconds(file.expires_ms)
    return files_pb2.File(
        file_id=file.file_id,
        name=file.name,
        purpose=file.purpose,
        bytes=file.bytes,
        created=created,
        expires=expires,
    )
