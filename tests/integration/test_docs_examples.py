"""The code that the documentation and examples/ show, run against a whole system on simulated engines."""

from __future__ import annotations

import ast
import asyncio
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from conftest import Services, System
from docs_pages import README, ROOT, Page

from ssr.core.types import Source

ADDRESS = "127.0.0.1:7600"


def at(system: System, file: Path, folder: Path) -> Path:
    """A copy of an example that asks this system."""
    text = file.read_text()
    assert ADDRESS in text
    copy = folder / file.name
    copy.write_text(text.replace(ADDRESS, system.address))
    return copy


def cells_of(notebook: str) -> str:
    """The code of an example's cells."""
    cells = json.loads((ROOT / "examples" / notebook).read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


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


async def test_the_notebook_draws_the_paths_of_a_job(
    system: System, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot  # its backend is chosen when it is imported

    shown: list[Any] = []
    monkeypatch.setattr(pyplot, "show", lambda: shown.append(pyplot.gcf()))
    text = cells_of("paths_of_a_job.ipynb")
    assert ADDRESS in text
    names: dict[str, Any] = {}
    await asyncio.to_thread(exec, compile(text.replace(ADDRESS, system.address), "notebook", "exec"), names)
    job, (figure,) = names["job"], shown
    steps = [step for path in job.paths for step in path.steps]
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [step.tokens for step in steps]
    labels = [text.get_text().strip() for text in axes.texts]
    assert [label for label in labels if "." not in label] == [path.answer or path.status for path in job.paths]
    assert job.answer == "103"
    assert "answered: 103" in capsys.readouterr().out
    pyplot.close(figure)


async def test_the_algorithm_runs_in_process(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "solve_in_process.py"))
    outcome = await example["main"](services.draft_url, services.target_url, "What is (12 * 7) + 19?")
    assert outcome.answer == "103"
    assert {step.source for path in outcome.run.paths for step in path.steps} >= {Source.DRAFT}
    assert "103: R " in capsys.readouterr().out


async def test_the_notebook_of_the_algorithm_runs(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    text = cells_of("solve_in_process.ipynb")
    for address, url in (("http://127.0.0.1:8081", services.draft_url), ("http://127.0.0.1:8082", services.target_url)):
        assert address in text
        text = text.replace(address, url)
    await eval(compile(text, "notebook", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
    out = capsys.readouterr().out
    assert "103 (Vote(answer='103'" in out
    assert "0: 103, R 0%" in out, "at threshold 0 every draft stands"
    assert "9: 103, R " in out
