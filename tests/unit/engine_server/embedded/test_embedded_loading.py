"""llama.cpp that is not there, or cannot be loaded."""

from __future__ import annotations

import importlib
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
