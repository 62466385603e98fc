"""The README's settings start the services, and the documentation's Python is Python with names that there are."""

from __future__ import annotations

import ast
import importlib
import shlex

import pytest
from docs_pages import Page, pages

from ssr.drafter.settings import DrafterSettings
from ssr.orchestrator.settings import OrchestratorSettings
from ssr.runtime.settings import ServiceSettings
from ssr.selector.settings import SelectorSettings
from ssr.verifier.settings import VerifierSettings

SNIPPETS = [(page.name, code) for page in pages() for code in page.fences("python")]


def exported(page: Page) -> dict[str, str]:
    """The variables that the page's shell lines export."""
    words = [
        word for line in page.shell_lines if line.startswith("export ") for word in shlex.split(line, comments=True)
    ]
    return dict(word.split("=", 1) for word in words if "=" in word)


@pytest.mark.parametrize("name", ["README.md", "docs/operate/engines.md"])
@pytest.mark.parametrize("settings", [OrchestratorSettings, SelectorSettings, DrafterSettings, VerifierSettings])
def test_the_exported_settings_are_all_that_a_service_needs(
    name: str, settings: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    [page] = [page for page in pages() if page.name == name]
    for variable, value in exported(page).items():
        monkeypatch.setenv(variable, value)
    settings.from_environment()


@pytest.mark.parametrize(("name", "code"), SNIPPETS, ids=[name for name, _ in SNIPPETS])
def test_python_imports_what_there_is(name: str, code: str) -> None:
    tree = compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ssr"):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)
