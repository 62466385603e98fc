"""`ssr --help` and what needs no server."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ssr import __version__
from ssr.cli.app import app


@pytest.mark.parametrize("command", ["demo", "solve", "up", "watch", "cancel", "jobs"])
def test_every_command_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"ssr {command}" in result.stdout


def test_the_first_help_names_the_commands() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    for command in ("demo", "solve", "up", "serve", "models", "watch", "cancel", "jobs"):
        assert command in result.stdout


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"ssr {__version__}\n"


def test_an_unknown_command_is_one_line() -> None:
    result = CliRunner().invoke(app, ["sole"])
    assert result.exit_code == 2
    assert result.stderr == "error: No such command 'sole'. Did you mean 'solve'?; see `ssr --help`\n"


def test_help_imports_nothing_heavy() -> None:
    heavy = {"grpc", "aiohttp", "openai", "redis", "huggingface_hub", "math_verify", "sympy", "pydantic_settings"}
    code = f"import ssr.cli.app, sys; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_service_starts_without_other_commands() -> None:
    code = """import sys
from ssr.cli.app import app
app(["serve", "drafter", "--help"], standalone_mode=False)
print(*sys.modules)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    commands = {module for module in run.stdout.splitlines()[-1].split() if module.startswith("ssr.cli.")}
    assert commands == {"ssr.cli.app", "ssr.cli.exit_status", "ssr.cli.serve"}
    assert "ssr_bench" not in run.stdout.splitlines()[-1]


def test_models_list_and_a_wrong_name(tmp_path: object) -> None:
    runner = CliRunner(env={"SSR_MODELS_DIR": str(tmp_path)})
    listed = runner.invoke(app, ["models", "list"])
    assert listed.exit_code == 0
    assert "absent" in listed.stdout
    wrong = runner.invoke(app, ["models", "pull", "gpt"])
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("error: model 'gpt' is not known; known are")
