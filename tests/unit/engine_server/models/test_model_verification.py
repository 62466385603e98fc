import os
from pathlib import Path
from typing import Any

import pytest

from ssr.engine_server.models import ModelFile, verification
from ssr.engine_server.models.verification import fingerprint_path, is_verified


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The paths that were hashed."""
    paths = []
    take = verification.take_fingerprint

    async def counted(path: Path) -> Any:
        paths.append(path)
        return await take(path)

    monkeypatch.setattr(verification, "take_fingerprint", counted)
    return paths


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(content)
    return path


async def test_an_untouched_file_is_hashed_once(path: Path, model: ModelFile, hashings: list[Path]) -> None:
    assert await is_verified(path, model)
    assert await is_verified(path, model)
    assert hashings == [path]


async def test_a_changed_file_is_hashed_again_and_refused(
    path: Path, model: ModelFile, content: bytes, hashings: list[Path]
) -> None:
    assert await is_verified(path, model)
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(0, 1))
    assert not await is_verified(path, model)
    assert len(hashings) == 2


async def test_a_touched_file_is_hashed_again_and_accepted(path: Path, model: ModelFile, hashings: list[Path]) -> None:
    assert await is_verified(path, model)
    os.utime(path, ns=(0, 1))
    assert await is_verified(path, model)
    assert len(hashings) == 2


async def test_a_damaged_record_is_as_good_as_none(path: Path, model: ModelFile, hashings: list[Path]) -> None:
    fingerprint_path(path).write_text("not JSON")
    assert await is_verified(path, model)
    assert len(hashings) == 1


async def test_a_file_of_another_size_is_refused_without_hashing(
    path: Path, model: ModelFile, content: bytes, hashings: list[Path]
) -> None:
    path.write_bytes(content + b"x")
    assert not await is_verified(path, model)
    assert hashings == []


async def test_no_file_is_not_verified(tmp_path: Path, model: ModelFile) -> None:
    assert not await is_verified(tmp_path / "none.gguf", model)


async def test_a_file_longer_than_one_chunk_is_hashed_whole(
    path: Path, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "CHUNK_BYTES", 100)
    assert await is_verified(path, model)


async def test_a_folder_that_takes_no_record_costs_a_hashing_each_time(
    path: Path, model: ModelFile, hashings: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    fingerprint_path(path).mkdir()
    assert await is_verified(path, model)
    assert await is_verified(path, model)
    assert len(hashings) == 2
    assert "cannot be kept" in caplog.text
