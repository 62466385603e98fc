"""`ssr bench routing`: a replica for each path, or one for a job's paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr_bench.cli.evaluation_input import numbers
from ssr_bench.cli.reporting import JsonOption, reported, show

if TYPE_CHECKING:
    from ssr_bench.routing import RoutingFigures, RoutingPlan

_COLUMNS = ("prompt, words more", "jobs/s", "stagger s", "routed by", "answer s", "p99", "cached", "busiest")
_LEGEND = """\
answer: a job's mean time; cached: of the prompts' tokens, those that a replica had; busiest: the calls of the busiest
replica over a mean one's, as a path begins. Timing models of the simulated target, virtual time, without services."""


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("routing")(routing)


def routing(
    jobs: Annotated[int, typer.Option(metavar="N", help="Of each measurement.")] = 400,
    paths: Annotated[int, typer.Option(metavar="N", help="Of a job.")] = 5,
    replicas: Annotated[int, typer.Option(metavar="N", help="Of the target engine.")] = 4,
    per_s: Annotated[str, typer.Option(metavar="R,R,...", help="Jobs that come, a second.")] = "2,8,14",
    prompt_words: Annotated[str, typer.Option(metavar="N,N,...", help="Added to each problem.")] = "0,2000",
    stagger: Annotated[str, typer.Option(metavar="S,S,...", help="Seconds between a job's paths.")] = "0,0.5",
    as_json: JsonOption = False,
) -> None:
    """What it brings to have a job's paths meet at one replica.

    Paths that the target writes alone, on several simulated replicas with their
    timing models and prefix caches, in virtual time: each path on a replica of
    its own choice, or those of a job together (GATHER_JOBS), which spill where
    a replica has much more than its share. Also: paths that begin one after the
    other.

    Example:

      ssr bench routing --per-s 4,8
    """
    run(_routing(jobs, paths, replicas, per_s, prompt_words, stagger, as_json))


async def _routing(
    jobs: int, paths: int, replicas: int, per_s: str, prompt_words: str, stagger: str, as_json: bool
) -> ExitStatus:
    from ssr_bench.routing import RoutingPlan, compare_routing

    plan = RoutingPlan(
        jobs,
        paths,
        replicas,
        numbers("per-s", per_s, float),
        numbers("prompt-words", prompt_words, int),
        numbers("stagger", stagger, float),
    )
    figures = await reported(lambda _: compare_routing(plan))
    show({"plan": plan, "figures": figures}, _table(plan, figures), as_json, width=120)
    return ExitStatus.DONE


def _table(plan: RoutingPlan, figures: tuple[RoutingFigures, ...]) -> Group:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for one in figures:
        table.add_row(
            f"{one.prompt_words:,}",
            f"{one.per_s:g}",
            f"{one.stagger_s:g}",
            "job" if one.gathered else "path",
            f"{one.answer_s.mean:.2f}",
            f"{one.answer_s.p99:.2f}",
            f"{one.cached_share:.0%}",
            f"{one.imbalance:.2f}",
        )
    asked = f"{plan.jobs} jobs of {plan.paths} paths on {plan.replicas} replicas."
    return Group(table, Text(f"\n{asked}\n{_LEGEND}", "dim"))
