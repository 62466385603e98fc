"""The command line: `ssr`.

A command is imported when it is called or helped with: a service starts without what only other commands need.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ssr import __version__
from ssr.cli.exit_status import ExitStatus, print_error

#: Where our commands and groups of commands are, in the order of --help.
COMMANDS = {
    "demo": "ssr.cli.demo:demo",
    "solve": "ssr.cli.solve:solve",
    "up": "ssr.cli.up:up",
    "watch": "ssr.cli.jobs:watch",
    "cancel": "ssr.cli.jobs:cancel",
    "jobs": "ssr.cli.jobs:jobs",
    "delete": "ssr.cli.jobs:delete",
    "usage": "ssr.cli.jobs:usage",
    "queue": "ssr.cli.admin:queue",
    "pause": "ssr.cli.admin:pause",
    "resume": "ssr.cli.admin:resume",
    "drain": "ssr.cli.admin:drain",
    "requeue": "ssr.cli.admin:requeue",
    "methods": "ssr.cli.methods:methods",
    "models": "ssr.cli.models:models_app",
    "serve": "ssr.cli.serve:serve_app",
}

#: The entry points of other distributions' commands: `ssr bench`, where that is installed.
ENTRY_POINTS = "ssr.commands"


class CommandsByName(MutableMapping[str, Any]):
    """Commands by their names, each imported when it is first asked for."""

    def __init__(self) -> None:
        ours = [EntryPoint(name, where, ENTRY_POINTS) for name, where in COMMANDS.items()]
        self._found: dict[str, Any] = {one.name: one for one in (*ours, *entry_points(group=ENTRY_POINTS))}

    def __getitem__(self, name: str) -> Any:
        command = self._found[name]
        if isinstance(command, EntryPoint):
            command = self._found[name] = _loaded(command)
        return command

    def __setitem__(self, name: str, command: Any) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _loaded(found: EntryPoint) -> Any:
    """The command of a function, or the group of a Typer."""
    command, of_one = found.load(), typer.Typer(add_completion=False)
    if isinstance(command, typer.Typer):
        of_one.add_typer(command, name=found.name)
        return typer.main.get_group(of_one).commands[found.name]
    of_one.command(found.name)(command)
    return typer.main.get_command(of_one)


class Commands(TyperGroup):
    """Imports commands when they are needed, and reports a wrong command line in one line, as they report all else."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = CommandsByName()

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.Abort:
            print_error("aborted")
            status = ExitStatus.FAILURE
        except typer.TyperException as error:
            if message := error.format_message():  # none: the help was printed, for want of arguments
                print_error(f"{message.rstrip('.')}; see `ssr --help`")
            status = ExitStatus.BAD_INPUT
        return sys.exit(status) if standalone_mode else status


app = typer.Typer(
    name="ssr",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def ssr(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Answer mathematics problems with SSR: Speculative Parallel Scaling Reasoning (arXiv 2505.15340).

    A target model picks strategies and judges. A small draft model writes
    the steps of a few paths in parallel. The target rewrites weak steps, and
    the paths vote.

    Start here:

      ssr demo                            three problems, on this machine
      ssr solve "What is 15 % of 80?"     one problem; brings up all it needs
      ssr up                              the whole system, until Ctrl-C
      ssr solve --server HOST:PORT "..."  ask a system that runs
    """
    if version:
        typer.echo(f"ssr {__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """The console script `ssr`."""
    for stream in (sys.stdout, sys.stderr):  # a model's mathematics must not break on a terminal without Unicode
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()


if __name__ == "__main__":
    main()
