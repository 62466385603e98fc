"""Is a file the model it should be? Its SHA-256 decides; a record beside it saves hashing it at each start."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import BaseModel

from ssr.engine_server.models.catalogue import ModelFile
from ssr.engine_server.models.record import read_record, write_record
from ssr.engine_server.models.threads import in_thread

_log = logging.getLogger(__name__)

#: Bytes hashed in one go: some 10 ms, so that cancelling is quick.
CHUNK_BYTES = 16 * 1024 * 1024


class Fingerprint(BaseModel, frozen=True):
    """What a file hashed to, and its size and modification time (ns) then."""

    bytes: int
    mtime_ns: int
    sha256: str

    def describes(self, path: Path) -> bool:
        """Whether the file looks untouched since it was hashed."""
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns) == (self.bytes, self.mtime_ns)


def fingerprint_path(path: Path) -> Path:
    """Where the fingerprint of the file at `path` is kept."""
    return path.with_name(f"{path.name}.sha256.json")


async def is_verified(path: Path, model: ModelFile) -> bool:
    """Whether `path` is there and is `model`. Hashes it unless its fingerprint is still good."""
    if await in_thread(_size, path) != model.bytes:
        return False
    known = read_record(fingerprint_path(path), Fingerprint)
    if known is None or not known.describes(path):
        known = await take_fingerprint(path)
        keep_fingerprint(path, known)
    return known.sha256 == model.sha256


async def take_fingerprint(path: Path) -> Fingerprint:
    """Hash the file. Raises `OSError` where it cannot be read."""
    stat = await in_thread(
        path.stat
    )  # before the hashing: a change meanwhile makes the fingerprint a bad one, as it should
    digest = hashlib.sha256()
    with await in_thread(path.open, "rb") as file:
        while await in_thread(_hash_chunk, file, digest):
            pass
    return Fingerprint(bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=digest.hexdigest())


def keep_fingerprint(path: Path, fingerprint: Fingerprint) -> None:
    """Write the record; a read-only folder is fine, it costs a hashing at each start."""
    try:
        write_record(fingerprint_path(path), fingerprint)
    except OSError as error:
        _log.warning("%s is hashed at each start: its fingerprint cannot be kept (%s)", path, error.strerror)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _hash_chunk(file: BinaryIO, digest: _Digest) -> bool:
    chunk = file.read(CHUNK_BYTES)
    digest.update(chunk)
    return bool(chunk)
