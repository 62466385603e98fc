"""`ssr bench overhead`: what SSR costs beside its engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr_bench.cli.evaluation_input import numbers
from ssr_bench.cli.reporting import JsonOption, reported, show

if TYPE_CHECKING:
    from ssr_bench.lookahead import LookaheadFigures
    from ssr_bench.overhead import OverheadReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `ssr bench`."""
    app.command()(overhead)


def overhead(
    jobs: Annotated[str, typer.Option(metavar="N,N,...", help="Concurrent jobs, one measurement each.")] = "1,16,256",
    seconds: Annotated[float, typer.Option(metavar="S", help="Of each measurement, after a warm-up.")] = 10.0,
    warm_up: Annotated[float, typer.Option(metavar="S", help="Seconds before each measurement.")] = 3.0,
    paths: Annotated[int | None, typer.Option(metavar="N", help="Of a job; default 1.")] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="Of a path, about; without --latency-model.")] = 12,
    latency_model: Annotated[
        bool, typer.Option("--latency-model", help="Compare lookaheads under a model of the engines' latency instead.")
    ] = False,
    lookahead: Annotated[
        str, typer.Option(metavar="K,K,...", help="With --latency-model: what to compare.")
    ] = "0,1,adaptive",
    model_jobs: Annotated[
        int, typer.Option(metavar="N", help="With --latency-model: jobs, one after the other.")
    ] = 200,
    as_json: JsonOption = False,
) -> None:
    """What SSR costs beside its engines: time, CPU and memory a step.

    Brings up the whole stack on engines that take no time, and keeps so many
    jobs running. Beside it, in the same run: what bare gRPC, HTTP and Redis
    calls cost here, which is the floor.

    With --latency-model it compares how far drafts run ahead instead, where a
    draft takes 0.3 or 0.6 s, a verification 0.15 s, a step of the target 1.5 s,
    and 30 or 10 % of the steps are rewritten; in virtual time, so it takes
    a minute.

    Examples:

      ssr bench overhead
      ssr bench overhead --jobs 1,64 --seconds 30 --paths 5 --json
      ssr bench overhead --latency-model
    """
    if latency_model:
        run(_lookaheads(lookahead, model_jobs, paths, as_json))
    else:
        run(_overhead(jobs, seconds, warm_up, paths, steps, as_json))


async def _overhead(
    jobs: str, seconds: float, warm_up: float, paths: int | None, steps: int, as_json: bool
) -> ExitStatus:
    from ssr_bench.overhead import OverheadPlan, measure_overhead
    from ssr_bench.overhead_table import overhead_table

    plan = OverheadPlan(numbers("jobs", jobs, int), 1 if paths is None else paths, steps, seconds, warm_up)
    report: OverheadReport = await reported(lambda report_progress: measure_overhead(plan, report_progress))
    show(report, overhead_table(report), as_json)
    return ExitStatus.DONE


def _lookahead(text: str) -> int | None:
    return None if text == "adaptive" else int(text)


async def _lookaheads(lookahead: str, jobs: int, paths: int | None, as_json: bool) -> ExitStatus:
    from ssr_bench.lookahead import LookaheadPlan, compare_lookaheads
    from ssr_bench.report_tables import lookahead_table

    plan = LookaheadPlan(numbers("lookahead", lookahead, _lookahead), jobs, 1 if paths is None else paths)
    figures: tuple[LookaheadFigures, ...] = await reported(lambda _: compare_lookaheads(plan))
    show({"plan": plan, "lookaheads": figures}, lookahead_table(plan, figures), as_json)
    return ExitStatus.DONE
