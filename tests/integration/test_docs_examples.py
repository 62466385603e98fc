"""The code that the documentation and examples/ show, run against a whole system on simulated engines."""

from __future__ import annotations

import ast
import asyncio
import runpy
from pathlib import Path

import pytest
from conftest import System
from docs_pages import README, ROOT, Page

ADDRESS = "127.0.0.1:7600"


def at(system: System, file: Path, folder: Path) -> Path:
    """A copy of an example that asks this system."""
    text = file.read_text()
    assert ADDRESS in text
    copy = folder / file.name
    copy.write_text(text.replace(ADDRESS, system.address))
    return copy


async def test_the_python_of_the_readme_solves(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    [snippet] = Page(README, README.read_text()).fences("python")
    snippet = snippet.replace(ADDRESS, system.address).replace("What is 15 % of 80?", "What is (12 * 7) + 19?")
    code = compile(snippet, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, {})
    assert "Vote(answer='103'" in capsys.readouterr().out


async def test_the_product_service_answers(system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(at(system, ROOT / "examples" / "product_service.py", tmp_path)))
    await example["main"]("What is (12 * 7) + 19?", system.address)
    out = capsys.readouterr().out
    assert "path 0, step 1" in out
    assert "status=200, body='103'" in out


async def test_the_notebook_runs(system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = at(system, ROOT / "examples" / "notebook.py", tmp_path)
    await asyncio.to_thread(runpy.run_path, str(notebook))
    assert len(capsys.readouterr().out.splitlines()) > 4
