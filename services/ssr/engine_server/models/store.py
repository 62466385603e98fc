"""The folder with the model files, and pulling what it lacks."""

from __future__ import annotations

import errno
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ssr.core.errors import BadReply, InvalidRequest, NotFound, Unavailable
from ssr.engine_server.models.catalogue import CATALOGUE, ModelFile, find_model
from ssr.engine_server.models.lock import exclusive
from ssr.engine_server.models.part import PartFile
from ssr.engine_server.models.progress import PullProgress, SilentProgress
from ssr.engine_server.models.source import ModelSource
from ssr.engine_server.models.threads import in_thread
from ssr.engine_server.models.verification import is_verified, keep_fingerprint, take_fingerprint

#: Free space that a pull leaves to others.
MARGIN_BYTES = 64 * 1024 * 1024
#: How long a pull waits for another process that pulls the same model.
LOCK_TIMEOUT_S = 3600.0
#: The setting that says where the models are, for messages.
FOLDER_SETTING = "SSR_MODELS_DIR"


class Presence(StrEnum):
    """How much of a model is in the store."""

    VERIFIED = "verified"  #: complete, with the right hash
    WRONG = "wrong"  #: a file of its name with another content
    PARTIAL = "partial"  #: a pull has begun
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A known model, where it is or would be, and how much of it is there (`bytes_here`)."""

    model: ModelFile
    path: Path
    presence: Presence
    bytes_here: int


def disk_free(folder: Path) -> int:
    """The free bytes of the folder's disk."""
    return shutil.disk_usage(folder).free


class ModelStore:
    """Model files in `folder`, fetched from the first of `sources` that has them.

    Several processes may share the folder. It may be read-only as long as nothing has to be pulled.
    """

    def __init__(
        self,
        folder: Path,
        sources: Sequence[ModelSource],
        *,
        catalogue: Mapping[str, ModelFile] = CATALOGUE,
        disk_free: Callable[[Path], int] = disk_free,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        self.folder = folder
        self._sources = tuple(sources)
        self._catalogue = catalogue
        self._disk_free = disk_free
        self._lock_timeout_s = lock_timeout_s

    def path(self, name: str) -> Path:
        """Where the model's file is, or would be. Raises `NotFound` for an unknown name."""
        return self.folder / find_model(name, self._catalogue).file_name

    async def has(self, name: str) -> bool:
        """Whether the model is here, complete and with the right hash. Raises `NotFound` for an unknown name."""
        model = find_model(name, self._catalogue)
        async with self._disk_errors():
            return await is_verified(self.path(name), model)

    async def require(self, name: str) -> Path:
        """The verified file's path. Raises `NotFound` where the name is unknown or the model is not here."""
        if not await self.has(name):
            raise NotFound(f"model {name} is not in {self.folder}; get it with `ssr models pull {name}`")
        return self.path(name)

    async def list(self) -> tuple[StoredModel, ...]:
        """All known models, in the catalogue's order."""
        async with self._disk_errors():
            return tuple([await self._look(model) for model in self._catalogue.values()])

    async def pull(self, name: str, progress: PullProgress | None = None) -> Path:
        """Make sure the model is here, and return its path.

        A pull that is interrupted or cancelled goes on next time where it was. Raises `NotFound` (unknown name),
        `Unavailable` (no source has it now), `BadReply` (a source gave another file, which was deleted),
        `InvalidRequest` (the folder is not writable or too full), `TimedOut` (another process pulls it, for too long).
        """
        model = find_model(name, self._catalogue)
        path = self.path(name)
        if not await self.has(name):
            progress = progress or SilentProgress()
            try:
                await self._pull_locked(model, path, progress)
            finally:
                progress.finish()
        return path

    async def _pull_locked(self, model: ModelFile, path: Path, progress: PullProgress) -> None:
        async with self._disk_errors(), self._lock(model, path, progress):
            if await is_verified(path, model):  # another process was faster
                return
            if await in_thread(path.exists):
                progress.note(f"{path} is not the {model.name} that is expected; it will be replaced")
            part = self._part(model)
            await in_thread(part.open)
            await self._fetch(model, part, progress)
            await self._admit(model, part, path)

    @asynccontextmanager
    async def _lock(self, model: ModelFile, path: Path, progress: PullProgress) -> AsyncIterator[None]:
        await in_thread(self.folder.mkdir, parents=True, exist_ok=True)
        async with exclusive(
            path.with_name(f"{path.name}.lock"),
            timeout_s=self._lock_timeout_s,
            on_wait=lambda: progress.note(f"another process is pulling {model.name}; waiting for it"),
        ):
            yield

    async def _fetch(self, model: ModelFile, part: PartFile, progress: PullProgress) -> None:
        """Complete the part file from the first source that can."""
        if part.length == model.bytes:  # a pull that ended before the hash was taken
            return
        failures: list[str] = []
        for source in (source for source in self._sources if source.offers(model)):
            self._check_space(source.space_needed(model, part))
            progress.note(f"{model.name}: from {source.title}")
            try:
                await source.fetch(model, part, progress)
                return
            except Unavailable as error:
                failures.append(str(error))
                progress.note(f"{model.name}: {error}")
        raise Unavailable(
            f"model {model.name} cannot be had from any source: {'; '.join(failures) or 'none offers it'}. "
            f"Check the network and pull again, or put the file at {self.folder / model.file_name}"
        )

    async def _admit(self, model: ModelFile, part: PartFile, path: Path) -> None:
        """Let a complete part file into the store if its hash is right; delete it if not."""
        fingerprint = await take_fingerprint(part.path)
        if fingerprint.sha256 != model.sha256:
            await in_thread(part.discard)
            raise BadReply(
                f"model {model.name}: the file that was fetched is not the right one and was deleted: "
                f"expected SHA-256 {model.sha256} ({model.bytes} bytes), "
                f"got {fingerprint.sha256} ({fingerprint.bytes} bytes). Pull again; if that gives the same hash, "
                "the source (or a mirror or proxy before it) has another file: do not use it"
            )
        await in_thread(part.become, path)
        await in_thread(keep_fingerprint, path, fingerprint)

    def _check_space(self, missing: int) -> None:
        needed, free = missing + MARGIN_BYTES, self._disk_free(self.folder)
        if free < needed:
            raise InvalidRequest(
                FOLDER_SETTING,
                f"{self.folder} has {_mib(free)} free and {_mib(needed)} are needed; free some space, "
                f"or set {FOLDER_SETTING} to a folder on a larger disk",
            )

    @asynccontextmanager
    async def _disk_errors(self) -> AsyncIterator[None]:
        """What the disk refuses, as an error that says what to do."""
        try:
            yield
        except OSError as error:
            advice = (
                "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it readable and writable"
            )
            raise InvalidRequest(
                FOLDER_SETTING,
                f"{error.filename or self.folder}: {error.strerror or error}; {advice}, "
                f"or set {FOLDER_SETTING} to another folder",
            ) from error

    def _part(self, model: ModelFile) -> PartFile:
        return PartFile(self.folder / f"{model.file_name}.part", model)

    async def _look(self, model: ModelFile) -> StoredModel:
        path = self.folder / model.file_name
        if await is_verified(path, model):
            return StoredModel(model, path, Presence.VERIFIED, model.bytes)
        if path.exists():
            return StoredModel(model, path, Presence.WRONG, path.stat().st_size)
        if length := self._part(model).length:
            return StoredModel(model, path, Presence.PARTIAL, length)
        return StoredModel(model, path, Presence.ABSENT, 0)


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
