"""The methods side by side, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ssr_bench.consensus.end_to_end.figures import DraftingFigures, MethodComparison, compared
from ssr_bench.consensus.tables import POSITIONS, plain_table, positions
from ssr_bench.statistics import share

_LEGEND = (
    "tok/pass: tokens a forward pass of one sample, passes without a draft included; drafted: tokens verified for it;\n"
    "length: accepted tokens of a pass with a draft; accepted: share of drafted tokens; @n: share of passes with a\n"
    "draft that accepted n tokens or more; rows: samples in a forward pass; positions: those that\n"
    "the model processed for a token; x none: of none's tokens a second"
)


def end_to_end_table(title: str, rows: Sequence[DraftingFigures]) -> RenderableType:
    """A row for each method, and what became of our drafts by their source."""
    columns = (
        *("tok/pass", "drafted", "length", "accepted", *positions(), "rows"),
        *("positions", "tok/s", "x none", "wall s", "latency s", "tokens"),
    )
    beside = compared(rows)
    speeds = {name: f"{one.speed:.2f}" for name, one in beside.items()}
    cells = [_cells(row, speeds.get(row.method.name, "")) for row in rows]
    parts: list[RenderableType] = [Text(title, "bold"), plain_table("method", columns, cells), Text()]
    parts += [Text(_sources(row)) for row in rows if row.sources]
    parts += [Text(line) for name, one in beside.items() for line in _passes(name, one)]
    parts += [Text(f"{row.method.name}: beware: {doubt}", "yellow") for row in rows for doubt in row.doubts]
    return Group(*parts, Text(_LEGEND, "dim"))


def _cells(row: DraftingFigures, speed: str) -> tuple[str, ...]:
    at = [f"{one:.0%}" for one in row.acceptance_at[:POSITIONS]] if row.drafts else []
    drafts = (f"{row.drafted_per_pass:.2f}", f"{row.mean_accepted:.2f}", f"{row.acceptance:.0%}")
    return (
        row.method.name,
        f"{row.tokens_per_pass:.3f}",
        *(drafts if row.drafts else ("", "", "")),
        *at,
        *[""] * (POSITIONS - len(at)),
        f"{row.rows_per_step:.1f}" if row.steps else "",
        f"{row.positions_per_token:.2f}",
        f"{row.sampled.tokens_per_s:.1f}",
        speed,
        f"{row.sampled.wall_s:.1f}",
        f"{row.sampled.latency_s.mean:.1f}",
        f"{row.sampled.tokens:,}",
    )


def _passes(name: str, one: MethodComparison) -> list[str]:
    """Where a pass's time goes, and what that would mean for larger models."""
    if one.pass_ms is None:
        return []
    parts = one.pass_ms
    speeds = ", ".join(f"{model_ms} ms {speed:.2f}" for model_ms, speed in one.predicted.items())
    return [
        f"{name}: ms a pass: model {parts.model:.2f}, verification {parts.verification:.2f}, "
        f"drafting {parts.drafting:.2f}",
        f"{name}: predicted, not measured: x none where the model's pass takes {speeds} (verification free)",
    ]


def _sources(row: DraftingFigures) -> str:
    reported = (
        f"{name} {one.accepted:,} of {one.drafted:,} ({share(one.accepted, one.drafted):.0%})"
        for name, one in row.sources.items()
    )
    return f"{row.method.name}: accepted by source: {', '.join(reported)}"
