"""Files that a server keeps for its callers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ssr.client.connection import Connection
from ssr.client.deadline import Deadline
from ssr.v1 import files_pb2, files_pb2_grpc


@dataclass(frozen=True, slots=True)
class File:
    """A file of the tenant that calls, `size` bytes long; `content` is b"" unless it was asked for."""

    file_id: str
    name: str
    purpose: str
    size: int
    created: datetime
    expires: datetime
    content: bytes = b""


class AsyncFiles:
    """Keeps, reads, lists and deletes files. The methods raise what those of AsyncClient do."""

    def __init__(self, connection: Connection, deadline: Callable[[], Deadline]) -> None:
        self._connection, self._deadline = connection, deadline

    async def put(self, file_id: str, content: bytes, *, name: str = "", purpose: str = "", kept_s: int = 0) -> File:
        """Keep a file, in the place of one of the same id, for `kept_s` seconds (0: as long as the server allows)."""
        request = files_pb2.PutFileRequest(file_id=file_id, content=content, name=name, purpose=purpose, kept_s=kept_s)
        return _file(await self._connection.call(self._stub.PutFile, request, self._deadline()))

    async def get(self, file_id: str, *, content: bool = False) -> File:
        """Raises: NotFound."""
        request = files_pb2.GetFileRequest(file_id=file_id, with_content=content)
        return _file(await self._connection.call(self._stub.GetFile, request, self._deadline()))

    async def list(self, *, purpose: str = "", limit: int = 100, after: str = "") -> tuple[list[File], bool]:
        """Files without content, newest first, behind the file `after`; and whether there are more."""
        request = files_pb2.ListFilesRequest(purpose=purpose, limit=limit, after=after)
        reply = await self._connection.call(self._stub.ListFiles, request, self._deadline())
        return [_file(file) for file in reply.files], reply.has_more

    async def delete(self, file_id: str) -> None:
        """Raises: NotFound."""
        request = files_pb2.DeleteFileRequest(file_id=file_id)
        await self._connection.call(self._stub.DeleteFile, request, self._deadline())

    @property
    def _stub(self) -> files_pb2_grpc.FileServiceAsyncStub:
        return files_pb2_grpc.FileServiceStub(self._connection.channel)


def _file(message: files_pb2.File) -> File:
    return File(
        message.file_id,
        message.name,
        message.purpose,
        message.bytes,
        message.created.ToDatetime(tzinfo=UTC),
        message.expires.ToDatetime(tzinfo=UTC),
        message.content,
    )
