"""Figures that are results come from the records: every mark is known, every result has its place, and is checked."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from ssr_bench.replay.graded import read_graded

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "docs" / "generate"))
results: Any = importlib.import_module("results")
pair: Any = importlib.import_module("pair_results")

PAGE = "It takes <!--=few-->3<!--=--> paths.\n\n<!-- result: rows -->\n\n| 1 |\n\n<!-- end of result -->\n"


def test_every_mark_is_known_and_the_tables_have_their_places() -> None:
    marks = [name for page in results.pages() for name in results.marked(page.read_text())]
    assert set(marks) <= set(results.results())
    assert {"pair-cascade", "pair-rivals", "pair-parts", "cascade-paths-gsm8k"} <= set(marks)
    assert {"paper-asdiv", "paper-asdiv-ssr-3-right"} <= set(marks)


def test_a_figure_is_what_the_records_give() -> None:
    makers = {"few": lambda: "2.4", "rows": lambda: "| 2 |\n| 3 |"}
    made = results.made(PAGE, makers)
    assert made == PAGE.replace(">3<", ">2.4<").replace("| 1 |", "| 2 |\n| 3 |")
    assert results.made(made, makers) == made
    with pytest.raises(KeyError):
        results.made(PAGE, {})


def test_what_differs_is_shown_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "pages", lambda: iter([page]))
    makers = {"few": lambda: "2.4", "rows": lambda: "| 1 |"}
    monkeypatch.setattr(results, "results", lambda: makers)
    assert results.main(["--check"]) == 1
    assert "+It takes <!--=few-->2.4<!--=--> paths." in capsys.readouterr().err
    assert page.read_text() == PAGE
    assert results.main([]) == 0
    assert results.main(["--check"]) == 0


def test_the_records_are_of_the_sets_that_the_pages_name() -> None:
    problems = read_graded(results.RECORDS)
    assert {one.group for one in problems} == set(pair.NAMES)
    assert all(len(one.targets) >= 4 and len(one.drafts) >= 4 for one in problems)
    assert results.RECORDS.stat().st_size < 100_000
