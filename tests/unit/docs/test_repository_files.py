"""The files that a forge reads are well-formed, and speak of this version."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from docs_pages import ROOT

from ssr import __version__

TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yaml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_citation_is_of_this_version() -> None:
    assert read("CITATION.cff")["version"] == __version__


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"^## .*\b{re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_form_has_fields_that_a_forge_knows(file: Any) -> None:
    form = yaml.safe_load(file.read_text())
    assert form.keys() == {"name", "description", "labels", "body"}
    for field in form["body"]:
        assert field.keys() <= {"type", "id", "attributes", "validations"}
        assert field["attributes"].keys() <= {"label", "description", "placeholder"}
        assert all(isinstance(text, str) for text in field["attributes"].values())


def test_hosted_ci_calls_the_targets_of_ci_run() -> None:
    lines = re.findall(r"^make (.+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    ours = [word for line in lines for word in line.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
    steps = [step for job in read(".github/workflows/ci.yaml")["jobs"].values() for step in job["steps"]]
    hosted = [step["run"] for step in steps if step.get("run", "").startswith("make ")]
    assert sorted(hosted) == sorted(f"make {target}" for target in ours)


def test_hosted_ci_uses_actions_by_commit() -> None:
    steps = [step for job in read(".github/workflows/ci.yaml")["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)


def test_hooks_before_a_commit_are_of_this_repository() -> None:
    [ours] = read(".pre-commit-config.yaml")["repos"]
    assert ours["repo"] == "local"
    for hook in ours["hooks"]:
        assert hook["entry"].startswith(".venv/bin/")
        assert all((ROOT / word).exists() for word in hook["entry"].split() if word.endswith(".py"))
