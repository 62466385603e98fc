"""`ssr models`: the model files of the embedded engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.cli.stack.presets import SETUPS, Preset

if TYPE_CHECKING:
    from ssr.engine_server.models import StoredModel

models_app = typer.Typer(
    name="models",
    help="Get and list the model files, in SSR_MODELS_DIR (~/.cache/ssr/models).",
    no_args_is_help=True,
)


@models_app.command("pull")
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="As `ssr models list` shows them. Default: those of preset local."),
    ] = None,
) -> None:
    """Download models, verified by SHA-256; an interrupted pull goes on where it was.

    Examples:

      ssr models pull
      ssr models pull smollm2-135m
    """
    run(_pull(names or SETUPS[Preset.LOCAL].models), interrupted="interrupted; pull again to go on where it was")


@models_app.command("list")
def list_models() -> None:
    """List the known models and which of them are here.

    Example:

      ssr models list
    """
    run(_list())


async def _pull(names: Sequence[str]) -> ExitStatus:
    from ssr.engine_server.models import RichProgress
    from ssr.engine_server.models.settings import model_store

    store = model_store()
    for name in names:
        store.path(name)  # a name that is wrong is reported before an hour of downloading
    for name in names:
        typer.echo(f"{name}: {await store.pull(name, RichProgress())}")
    return ExitStatus.DONE


async def _list() -> ExitStatus:
    from ssr.engine_server.models.settings import model_store

    store = model_store()
    console = Console()
    console.print(_table(await store.list()))
    console.print(f"folder: {store.folder}", style="dim", markup=False, highlight=False, soft_wrap=True)
    return ExitStatus.DONE


def _table(models: tuple[StoredModel, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("model", "here", "size", "parameters", "licence"):
        table.add_column(heading, justify="right" if heading in ("size", "parameters") else "left", no_wrap=True)
    for stored in models:
        size, parameters = f"{stored.model.bytes / 2**20:,.0f} MiB", f"{stored.model.parameters / 1e6:,.0f} M"
        table.add_row(stored.model.name, stored.presence, size, parameters, stored.model.licence)
    return table
