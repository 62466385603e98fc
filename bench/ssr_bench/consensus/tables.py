"""The comparison and the latencies, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr_bench.consensus.comparison import Row
from ssr_bench.consensus.latency import DraftLatency
from ssr_bench.consensus.splitting import Chosen

#: Positions in a draft whose acceptance is shown.
POSITIONS = 3


def comparison_table(title: str, rows: Sequence[Row]) -> RenderableType:
    """A row for each replay, in the order given; one part for each order of the siblings."""
    columns = ("tok/pass", "95 %", "drafted", "length", "accepted", *positions(), "µs", "p99")
    parts: list[RenderableType] = [Text(title, "bold")]
    for order in dict.fromkeys(row.order for row in rows):
        cells = [_cells(row) for row in rows if row.order == order]
        parts += [plain_table(order, columns, cells), Text()]
    legend = (
        "tok/pass: tokens a forward pass, passes without a draft included; 95 %: bootstrap over problems;\n"
        "drafted: tokens verified for it;\n"
        "length: accepted tokens of a pass with a draft; accepted: share of drafted tokens, @n: at position n;\n"
        "µs, p99: CPU time of a draft call"
    )
    return Group(*parts, Text(legend, "dim"))


def choice_table(rows: Sequence[Chosen]) -> RenderableType:
    """The settings that the first half of the problems chooses, and how they do on the second."""
    columns = ("chosen", "of", "first half", "second half", "95 %", "over the others on the second half (95 %)")
    parts: list[RenderableType] = []
    for order in dict.fromkeys(row.order for row in rows):
        cells = [
            (
                row.family,
                row.drafter,
                str(row.settings),
                f"{row.first.value:.3f}",
                f"{row.second.value:.3f}",
                f"{row.second.low:.2f} – {row.second.high:.2f}",
                "; ".join(f"{name} {one.value:.3f} ({one.low:.2f} – {one.high:.2f})" for name, one in row.others),
            )
            for row in rows
            if row.order == order
        ]
        parts += [plain_table(f"{order}, held out", columns, cells), Text()]
    return Group(*parts)


def latency_table(rows: Iterable[DraftLatency]) -> RenderableType:
    """A row for each number of samples and length."""
    columns = ("drafter", "tokens", "a draft", "p99", "drafted", "a token", "a pass", "a row", "scan")
    cells = [
        (
            str(row.samples),
            row.drafter,
            f"{row.tokens:,}",
            f"{row.draft_us.mean:.1f}",
            f"{row.draft_us.p99:.0f}",
            f"{row.drafted:.1f}",
            f"{row.add_us:.2f}",
            f"{row.pass_us.p50:,.0f}",
            f"{row.row_us:.1f}",
            f"{row.scan_us.mean:,.0f}",
        )
        for row in rows
    ]
    legend = (
        "CPU time in µs. a draft: one call, its mean and p99; drafted: tokens of a draft; a token: to add one;\n"
        "a pass: one call that adds what all samples wrote and drafts for all, the median; a row: a row of it;\n"
        "scan: a draft by looking through all siblings"
    )
    return Group(plain_table("samples", columns, cells), Text(f"\n{legend}", "dim"))


def positions() -> tuple[str, ...]:
    """The heads of their columns."""
    return tuple(f"@{position}" for position in range(1, POSITIONS + 1))


def _cells(row: Row) -> tuple[str, ...]:
    result = row.result
    at = [f"{one:.0%}" for one in result.acceptance_at[:POSITIONS]]
    return (
        row.drafter,
        f"{result.tokens_per_pass:.3f}",
        "" if result.interval is None else f"{result.interval.low:.2f} – {result.interval.high:.2f}",
        f"{result.drafted_per_pass:.2f}",
        f"{result.mean_accepted:.2f}",
        f"{result.acceptance:.0%}",
        *at,
        *[""] * (POSITIONS - len(at)),
        f"{result.draft_us.mean:.0f}",
        f"{result.draft_us.p99:.0f}",
    )


def plain_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """`title` heads the first column, whose cells are the rows' names."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
