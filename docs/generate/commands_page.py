"""The page of commands: every command with its options, as --help has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import click
import typer
from pieces import MADE, cell, table

from ssr.cli.app import app


def cli_page() -> str:
    """Every command with its options, from its --help."""
    parts = [
        "# Commands",
        MADE,
        "Every command prints this as `--help`. `ssr bench` is of the distribution `ssr-bench`, which `make setup` "
        "installs too.",
    ]
    root = typer.main.get_command(app)
    for path, command in _commands(root, "ssr"):
        parts += [f"{'#' * (path.count(' ') + 2)} {path}", *_help(command, path)]
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _commands(below, f"{path} {name}")


def _help(command: Any, path: str) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield "\n".join(f"  {line}" if line.startswith("  ") else line for line in text.splitlines())
    parameters = command.get_params(click.Context(command, info_name=path))
    if rows := [_row(parameter) for parameter in parameters if parameter.name != "help"]:
        yield table(("option", "value", "means"), rows)


def _row(parameter: Any) -> tuple[str, str, str]:
    """An option's or argument's names, what it takes, and its text."""
    text = cell(getattr(parameter, "help", "") or "")
    if (default := _default(parameter)) is not None:
        text += f" Default: {default}."
    if variable := getattr(parameter, "envvar", None):
        text += f" Variable: `{variable}`."
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`", "", text
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names, "" if parameter.is_flag else cell(parameter.metavar or ""), text


def _default(parameter: Any) -> Any:
    """The default that --help shows; None for none."""
    shown = getattr(parameter, "show_default", False) and not callable(parameter.default)
    return parameter.default if shown and parameter.default not in (None, "", (), False) else None
