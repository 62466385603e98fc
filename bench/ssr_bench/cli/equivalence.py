"""`ssr bench equivalence`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.running import run
from ssr_bench.cli.reporting import JsonOption, reported, show

if TYPE_CHECKING:
    from ssr_bench.equivalence.measure import EquivalenceReport


def add_to(app: typer.Typer) -> None:
    app.command("equivalence")(equivalence)


def equivalence(
    hostile: Annotated[int, typer.Option(metavar="N", help="Hostile jobs.")] = 100,
    votes: Annotated[int, typer.Option(metavar="N", help="Ordinary votes of each kind beside them.")] = 200,
    pairs: Annotated[
        int, typer.Option(metavar="N", help="Generated pairs that agree, and as many that differ.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the pairs.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """How soon and how rightly answers are compared.

    Hostile jobs box power towers, endless sums and the like, all the time;
    beside them ordinary votes are taken, of answers as models give them and of
    such that need computer algebra. Then generated pairs are compared.

    Exit status: 0 when 99 % of the votes take under a second, no pair that
    differs is merged, at most 1 % that agree are split, and no answer of these
    votes was compared as text, for want of a worker or of time; else 1.

    Example:

      ssr bench equivalence --hostile 100 --votes 500
    """
    run(_equivalence(hostile, votes, pairs, seed, as_json))


async def _equivalence(hostile: int, votes: int, pairs: int, seed: int, as_json: bool) -> ExitStatus:
    from ssr_bench.equivalence.measure import EquivalencePlan, measure_equivalence

    report = await reported(lambda _: measure_equivalence(EquivalencePlan(hostile, votes, pairs, seed)))
    show(report, _table(report), as_json)
    if not report.good:
        print_error("a goal was missed: 1 s at p99, 0 wrong merges, 1 % splits, nothing compared as text")
        return ExitStatus.FAILURE
    return ExitStatus.DONE


def _table(report: EquivalenceReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "p50", "p99", "most"):
        table.add_column(heading)
    for name, of in (("ordinary vote", report.plain), ("vote with algebra", report.algebra)):
        table.add_row(name, *(f"{value * 1000:.1f} ms" for value in (of.p50_s, of.p99_s, of.most_s)))
    killed = ", ".join(f"{count} by {limit}" for limit, count in sorted(report.killed.items())) or "none"
    table.add_row("their questions", f"{report.by_worker} by a worker", f"{report.by_text} as text")
    table.add_row("hostile questions", str(report.hostile_questions), f"ended: {killed}")
    table.add_row("wrong merges", f"{len(report.wrong_merges)} of {report.plan.generated}")
    table.add_row("splits", f"{len(report.splits)} of {report.plan.generated}")
    return table
