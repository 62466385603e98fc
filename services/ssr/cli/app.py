"""The command line: `ssr`.

Commands import what they need when they run, so that `ssr --help` is fast.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ssr import __version__
from ssr.cli.admin import drain, pause, queue, requeue, resume
from ssr.cli.demo import demo
from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.jobs import cancel, delete, jobs, usage, watch
from ssr.cli.methods import methods
from ssr.cli.models import models_app
from ssr.cli.serve import serve_app
from ssr.cli.solve import solve
from ssr.cli.up import up


class Commands(TyperGroup):
    """Reports a wrong command line in one line, as the commands report everything else."""

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
app.command()(demo)
app.command()(solve)
app.command()(up)
app.command()(watch)
app.command()(cancel)
app.command()(jobs)
app.command()(delete)
app.command()(usage)
app.command()(queue)
app.command()(pause)
app.command()(resume)
app.command()(drain)
app.command()(requeue)
app.command()(methods)
app.add_typer(models_app)
app.add_typer(serve_app)
for further in entry_points(group="ssr.commands"):  # `ssr bench`, where that distribution is installed
    app.add_typer(further.load())


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
