"""Files in Redis, within what a tenant and all of them together may keep."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ssr.core.errors import NotFound, Overloaded, echoed, plain
from ssr.orchestrator.file_settings import FileSettings
from ssr.orchestrator.queue.keys import FILE_KEYS, FILES, file_key
from ssr.runtime.redis.client import RedisClient, Script
from ssr.runtime.redis.failures import redis_errors

#: When to come back where there is no room, in seconds: somebody has to delete something first.
_FULL_S = 60.0
#: Entries that are read together.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Times in ms since 1970."""

    file_id: str
    name: str
    purpose: str
    bytes: int
    created_ms: int
    expires_ms: int


class FileStore:
    """Keeps files by tenant and id. Every method raises Unavailable while Redis cannot be reached."""

    def __init__(self, redis: RedisClient, settings: FileSettings) -> None:
        self._redis, self._settings = redis, settings
        self._put = Script(redis, "orchestrator/queue/scripts/file/put")
        self._delete = Script(redis, "orchestrator/queue/scripts/file/delete")

    async def put(self, tenant: str, file: StoredFile, content: bytes) -> None:
        """Raises: Overloaded where there is no room."""
        settings = self._settings
        limits = [settings.tenant_bytes, settings.total_bytes, settings.tenant_files]
        times = [file.created_ms, file.expires_ms]
        kept, used = await self._put(
            [*FILE_KEYS, file_key(tenant, file.file_id)],
            [tenant, file.file_id, _entry(file), content, file.bytes, *times, *limits],
        )
        if kept == b"tenant":
            raise Overloaded(
                f"content: the tenant's files have {used} bytes; at most {plain(settings.tenant_bytes)} in "
                f"{settings.tenant_files} files are kept: delete some",
                _FULL_S,
            )
        if kept == b"all":
            raise Overloaded("content: there is no room for more files now", _FULL_S)

    async def get(self, tenant: str, file_id: str, now_ms: int) -> StoredFile:
        """Raises: NotFound."""
        with redis_errors():
            entry = await self._redis.hget(FILES, f"{tenant} {file_id}")
        file = _file(file_id, entry) if entry else None
        if file is None or file.expires_ms <= now_ms:
            raise no_file(file_id)
        return file

    async def content(self, tenant: str, file_id: str) -> bytes:
        """Raises: NotFound."""
        with redis_errors():
            content: bytes | None = await self._redis.get(file_key(tenant, file_id))
        if content is None:
            raise no_file(file_id)
        return content

    async def list(self, tenant: str, now_ms: int) -> list[StoredFile]:
        """The tenant's files, newest first."""
        found = []
        with redis_errors():
            async for field, entry in self._redis.hscan_iter(FILES, match=f"{tenant} *", count=_CHUNK):
                file = _file(field.decode().partition(" ")[2], entry)
                if file.expires_ms > now_ms:
                    found.append(file)
        return sorted(found, key=lambda file: (file.created_ms, file.file_id), reverse=True)

    async def delete(self, tenant: str, file_id: str) -> None:
        """Raises: NotFound."""
        if not await self._delete([*FILE_KEYS, file_key(tenant, file_id)], [tenant, file_id]):
            raise no_file(file_id)


def no_file(file_id: str) -> NotFound:
    return NotFound(f"file_id: there is no file {echoed(file_id)}, or its time is over")


def _entry(file: StoredFile) -> str:
    fields = (file.name, file.purpose, file.bytes, file.created_ms, file.expires_ms)
    return json.dumps(dict(zip(("name", "purpose", "bytes", "created", "expires"), fields, strict=True)))


def _file(file_id: str, entry: bytes) -> StoredFile:
    of = json.loads(entry)
    return StoredFile(file_id, of["name"], of["purpose"], of["bytes"], of["created"], of["expires"])
