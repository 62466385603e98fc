"""One table, drawn for a terminal, a document or a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of texts below `columns`; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [_row(self.columns), _row(["---", *["---:"] * (len(self.columns) - 1)])]
        return "\n".join([f"### {self.title}", "", *lines, *map(_row, self.rows)])

    def html(self) -> str:
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in self.rows)
        return f"<h2>{escape(self.title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}</table>"

    def rich(self) -> Table:
        table = Table(title=self.title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=number == 0)
        for row in self.rows:
            table.add_row(*row)
        return table


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
