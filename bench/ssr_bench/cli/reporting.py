"""How the commands of `ssr bench` say what they do, and what they found."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, TypeVar

import typer
from rich.console import Console, Group, RenderableType

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]

Report = TypeVar("Report")

#: Reports what is being done.
ReportProgress = Callable[[str], None]


async def reported(measure: Callable[[ReportProgress], Awaitable[Report]]) -> Report:
    """The report of a measurement; on a terminal, what it is doing is shown."""
    with Console(stderr=True).status("measuring …") as spinner:
        return await measure(spinner.update)


def show(report: object, table: RenderableType, as_json: bool, width: int | None = None) -> None:
    """The figures as JSON, or the table (a `Group` of several); `width` in columns, None: the terminal's."""
    from ssr_bench.report_json import report_json

    if as_json:
        typer.echo(json.dumps(report_json(report), indent=2, ensure_ascii=False))
    else:
        Console(width=width, highlight=False).print(table)


def stacked(tables: Iterable[RenderableType]) -> Group:
    """The tables, a blank line behind each."""
    return Group(*(part for table in tables for part in (table, "")))
