"""Files and classes that the documentation names are there, so that its drawings stay those of the code; a name is one
class's."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest
from docs_pages import ROOT, Page, pages

PAGES = [page for page in pages() if page.path.name != "CHANGELOG.md"]
_FILE = re.compile(r"(?<![\w/.~-])((?:[\w-]+/)*[\w-]+\.(?:py|lua|proto|toml))\b")
#: A line of a drawing: names such as "_Solving._next_step" or "RemoteDrafter, RemoteVerifier", and the file with them.
_DRAWN = re.compile(r"\[?(\w[\w.]*(?:, \w+)*)\]?\s+([\w/]+\.py)(?:, (\w+\.py))?\b")
#: Files of a reader's own.
_OTHERS = {"my.py"}


FOLDERS = ("bench", "deploy", "docs", "examples", "helm", "proto", "services", "tests")
FILES = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
FILES += [path.name for path in ROOT.iterdir()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_exist(page: Page) -> None:
    named = {file for line in page.shell_lines for file in _FILE.findall(line)} - _OTHERS
    assert not {file for file in named if not found(file)}


def found(file: str) -> list[str]:
    return [path for path in FILES if path == file or path.endswith(f"/{file}")]


def test_classes_of_the_drawings_are_in_their_files() -> None:
    [page] = [page for page in PAGES if page.name == "docs/architecture.md"]
    drawn = [match for line in page.shell_lines if (match := _DRAWN.search(line))]
    assert len(drawn) > 12
    for match in drawn:
        texts = [(ROOT / path).read_text() for file in match.group(2, 3) if file for path in found(file)]
        for name in match.group(1).split(", "):
            for part in name.split("."):
                defined = re.compile(rf"^\s*(?:class|(?:async )?def) {part}\b", re.MULTILINE)
                assert any(map(defined.search, texts)), f"{part} in {match.group(2)}"


def test_a_class_has_its_name_to_itself() -> None:
    """Who searches for one finds one; what is private to a module may be named as it likes."""
    modules = [*(ROOT / "services").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    classes = [
        node.name
        for module in modules
        if not {"v1", "externalscaler"} & set(module.parts)
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert len(classes) > 300
    assert [name for name, count in Counter(classes).items() if count > 1] == []
