"""A file of JSON lines that outlives crashes: one process adds to it, others may read it meanwhile."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from ssr.core.errors import Conflict, InvalidRequest
from ssr_bench.result_folder import lock

Line = TypeVar("Line", bound=BaseModel)


class JsonLines(Generic[Line]):
    """The file, open for adding to it; no other process can do so until it is closed.

    Raises: OSError when it cannot be opened; Conflict when another process is at work in it, or it is packed.
    """

    def __init__(self, path: Path, kind: type[Line]) -> None:
        if _packed(path).exists():
            raise Conflict(f"{_packed(path)} is packed, to be read alone; unpack it to go on, or name another folder")
        self._path, self._kind = path, kind
        self._file = path.open("ab+")
        try:
            lock(self._file.fileno(), path.parent)
        except Conflict:
            self.close()
            raise

    def resume(self) -> Iterator[Line]:
        """The lines it has, without one that was being written when the program was killed: that one is dropped."""
        self._file.seek(0)
        self._file.truncate(self._file.read().rfind(b"\n") + 1)
        return read_lines(self._path, self._kind)

    def append(self, line: Line) -> None:
        """Durable when it returns: a crash of this program, or of the machine, loses nothing that was appended."""
        self._file.write(line.model_dump_json().encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path, kind: type[Line]) -> Iterator[Line]:
    """The whole lines of the file, or of the one packed by gzip beside it (`.gz`); none without either.

    Raises: InvalidRequest naming the line and field.
    """
    if path.exists():
        content = path.read_bytes()
    elif _packed(path).exists():
        content = gzip.decompress(_packed(path).read_bytes())
    else:
        return
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            raise InvalidRequest("dir", f"{path}, line {number}: {first_fault(error)}") from error


def write_packed(path: Path, lines: Iterable[BaseModel]) -> None:
    """Writes the file packed, to be read alone; the same bytes for the same lines."""
    content = b"".join(line.model_dump_json().encode() + b"\n" for line in lines)
    _packed(path).write_bytes(gzip.compress(content, mtime=0))


def _packed(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def first_fault(error: ValidationError) -> str:
    """The field and what is wrong with it."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
