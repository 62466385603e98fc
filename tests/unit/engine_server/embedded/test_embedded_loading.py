"""llama.cpp that is not there, or cannot be loaded."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from ssr.core.errors import CapabilityMissing
from ssr.engine_server.embedded.llama_server import LlamaServer
from ssr.engine_server.embedded.settings import EmbeddedSettings


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ModuleNotFoundError("No module named 'xllamacpp'"), r"pip install 'ssr-serve\[local\]'"),
        (ImportError("libgomp.so.1: cannot open shared object file"), "libgomp.so.1.*apt install libgomp1"),
    ],
)
async def test_what_is_missing_is_named(
    error: ImportError, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise error

    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(CapabilityMissing, match=advice):
        await LlamaServer.start(EmbeddedSettings(model_path=model, model_id="m"))


@pytest.mark.parametrize(("chosen", "read"), [("", "passive"), ("active", "active")])
async def test_threads_of_llama_cpp_sleep_while_they_wait_unless_the_environment_says_otherwise(
    chosen: str, read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenMP reads it while llama.cpp is loaded."""
    when_loaded = []

    def load(name: str) -> None:
        when_loaded.append(os.environ["OMP_WAIT_POLICY"])
        raise ModuleNotFoundError(name)

    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    monkeypatch.setenv("OMP_WAIT_POLICY", chosen)
    if not chosen:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(importlib, "import_module", load)
    with pytest.raises(CapabilityMissing):
        await LlamaServer.start(EmbeddedSettings(model_path=model, model_id="m"))
    assert when_loaded == [read]
