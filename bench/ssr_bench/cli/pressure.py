"""`ssr bench burst`, `priority`, `cancellation`: SSR when more is asked than there is room for, or less is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.running import run
from ssr_bench.cli.reporting import JsonOption, reported, show

if TYPE_CHECKING:
    from ssr_bench.burst import BurstReport
    from ssr_bench.cancellation import CancellationReport
    from ssr_bench.priority import PriorityReport


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `ssr bench`."""
    for command in (burst, priority, cancellation):
        app.command()(command)


def burst(
    jobs: Annotated[int, typer.Option(metavar="N", help="Jobs of the burst.")] = 2000,
    within: Annotated[float, typer.Option(metavar="S", help="Seconds in which they come.")] = 1.0,
    batch_jobs: Annotated[int, typer.Option(metavar="N", help="Batch jobs before the interactive one.")] = 1000,
    capacity: Annotated[int, typer.Option(metavar="N", help="Unfinished jobs that the server admits.")] = 1500,
    as_json: JsonOption = False,
) -> None:
    """More jobs at once than there is room for.

    First batch jobs with one interactive job behind them: how soon does it
    start? Then a burst: how many are admitted, are the others informed when to come
    back, do all admitted ones end, does every process live on?

    Exit status: 0 when they do; 1 when one of these is not so.

    Example:

      ssr bench burst --jobs 2000 --batch-jobs 1000
    """
    run(_burst(jobs, within, batch_jobs, capacity, as_json))


def priority(
    batch_jobs: Annotated[int, typer.Option(metavar="N", help="Batch jobs, of 16 paths each.")] = 120,
    trials: Annotated[int, typer.Option(metavar="N", help="Interactive jobs, one after the other.")] = 20,
    places: Annotated[int, typer.Option(metavar="N", help="Calls at a time on each engine.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """What batch work costs the jobs that somebody waits for.

    The engines' places are what is short: interactive jobs alone, and beside
    batch jobs that fill them; and what pace batch work keeps.

    Example:

      ssr bench priority --batch-jobs 120
    """
    run(_priority(batch_jobs, trials, places, as_json))


def cancellation(
    trials: Annotated[int, typer.Option(metavar="N", help="Of each way to end a job.")] = 50,
    deadline: Annotated[float, typer.Option(metavar="S", help="The jobs' deadline, in seconds.")] = 0.5,
    as_json: JsonOption = False,
) -> None:
    """How soon a job's end reaches the engine's HTTP request.

    A job whose draft hangs in the engine is cancelled, or its deadline passes:
    measured is the time until the engine has no request in flight any more.

    Example:

      ssr bench cancellation --trials 20
    """
    run(_cancellation(trials, deadline, as_json))


async def _burst(jobs: int, within: float, batch_jobs: int, capacity: int, as_json: bool) -> ExitStatus:
    from ssr_bench.burst import BurstPlan, measure_burst
    from ssr_bench.report_tables import burst_table

    plan = BurstPlan(jobs, within, batch_jobs, capacity)
    report: BurstReport = await reported(lambda report_progress: measure_burst(plan, report_progress))
    show(report, burst_table(report), as_json)
    if not report.borne:
        print_error("the burst was not borne: a part died, a job failed, or a refusal did not say when to come back")
        return ExitStatus.FAILURE
    return ExitStatus.DONE


async def _priority(batch_jobs: int, trials: int, places: int, as_json: bool) -> ExitStatus:
    from ssr_bench.priority import PriorityPlan, measure_priority
    from ssr_bench.report_tables import priority_table

    plan = PriorityPlan(batch_jobs, trials, places=places)
    report: PriorityReport = await reported(lambda report_progress: measure_priority(plan, report_progress))
    show(report, priority_table(report), as_json)
    return ExitStatus.DONE


async def _cancellation(trials: int, deadline: float, as_json: bool) -> ExitStatus:
    from ssr_bench.cancellation import CancellationPlan, measure_cancellation
    from ssr_bench.report_tables import cancellation_table

    plan = CancellationPlan(trials, deadline)
    report: CancellationReport = await reported(lambda report_progress: measure_cancellation(plan, report_progress))
    show(report, cancellation_table(report), as_json)
    return ExitStatus.DONE
