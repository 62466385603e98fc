"""The commands, variables and targets that the documentation shows are those that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import typer
import yaml
from docs_pages import ROOT, Page, pages

from ssr.cli.app import app

#: The changelog also names what is gone.
PAGES = [page for page in pages() if page.path.name != "CHANGELOG.md"]
_ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")
_ENDS = {"&", "&&", "|", ";", ">", "(", ")"}


def commands_of(line: str) -> Iterator[list[str]]:
    """The words of each command of a shell line, without the variables before it; none of what is no shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;()<>")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # an apostrophe: prose, or output
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word in _ENDS:
            if command:
                yield command
            command = []
        elif command or not _ASSIGNMENT.match(word):
            command.append(word)


def shown(page: Page, name: str) -> list[list[str]]:
    """The words behind `name`, of every command of that name."""
    return [words[1:] for line in page.shell_lines for words in commands_of(line) if words[0] == name]


def wrong_with(words: list[str], command: Any) -> str:
    """What `ssr` would refuse: an unknown command or option; "" for nothing."""
    while words and (below := getattr(command, "commands", None)):
        if words[0] in below:
            command, words = below[words[0]], words[1:]
        elif words[0].startswith("-"):
            break
        else:
            return "" if _stands_for_others(words[0]) else f"no command {words[0]}"
    known = {"--help", "-h"}.union(*((*option.opts, *option.secondary_opts) for option in command.params))
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"no option {', '.join(unknown)}" if unknown else ""


def _stands_for_others(word: str) -> bool:
    """As in "ssr bench ..."."""
    return not word.islower() or not word.isalpha()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_ssr_exist_with_their_options(page: Page) -> None:
    root = typer.main.get_command(app)
    wrong = {" ".join(words): why for words in shown(page, "ssr") if (why := wrong_with(words, root))}
    assert not wrong


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("solve --server HOST:1 x", ""),
        ("bench autoscale --policies ours", ""),
        ("solve --strategy-pool school", "no option --strategy-pool"),
        ("slove x", "no command slove"),
        ("--version", ""),
        ("bench ...", ""),
    ],
)
def test_a_wrong_command_is_seen(words: str, why: str) -> None:
    assert wrong_with(words.split(), typer.main.get_command(app)) == why


def test_commands_are_found_in_lines_of_shell() -> None:
    line = "SSR_TLS=1 ssr serve drafter --port 1 & ssr jobs | wc  # ssr no"
    assert list(commands_of(line)) == [["ssr", "serve", "drafter", "--port", "1"], ["ssr", "jobs"], ["wc"]]


def test_targets_of_make_exist() -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[0] for page in PAGES for words in shown(page, "make") if words and "=" not in words[0]}
    assert len(named) > 5
    assert named <= there


def test_variables_exist() -> None:
    """Each SSR_* is a setting or the beginning of some, or stands in the code."""
    settings = (ROOT / "docs" / "reference" / "settings.md").read_text()
    services = {name.lower() for name in re.findall(r"`ssr serve (\w+)`", settings)}
    assert len(services) > 5
    for service in services:
        for pool in ("DRAFT", "TARGET"):
            settings += "\n".join(
                line.replace("<SERVICE>", service.upper()).replace("<POOL>", pool)
                for line in settings.splitlines()
                if "<" in line
            )
    code = [file for folder in ("services", "bench", "tests") for file in (ROOT / folder).rglob("*.py")]
    there = set(re.findall(r"SSR_\w+", settings + "".join(file.read_text() for file in code)))
    for page in PAGES:
        for variable in re.findall(r"\bSSR_[A-Z][A-Z_]*", page.text):
            assert any(known.startswith(variable) for known in there), f"{page.name}: {variable}"


def test_values_of_the_chart_exist() -> None:
    values = yaml.safe_load((ROOT / "helm" / "ssr" / "values.yaml").read_text())
    keys = {
        key.strip("'\"")
        for page in PAGES
        for words in shown(page, "helm")
        for flag, given in pairwise(words)
        if flag == "--set"
        for key in re.findall(r"(?:^|,)([\w.]+)=", given)
    }
    assert len(keys) > 10
    assert not {key for key in keys if not _has(values, key.split("."))}


def _has(values: Any, keys: list[str]) -> bool:
    if not keys:
        return True
    if not isinstance(values, dict):
        return False
    if keys[0] == "settings":  # of a service: the schema knows them, and the reference has them
        return "settings" in values
    return (not values and keys[0] != "") or (keys[0] in values and _has(values[keys[0]], keys[1:]))
