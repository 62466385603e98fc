"""`ssr bench autoscale`: a day of load, and who sizes the fleets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest
from ssr_bench.cli.evaluation_input import numbers
from ssr_bench.cli.reporting import JsonOption, ReportProgress, reported, show

if TYPE_CHECKING:
    from ssr_bench.autoscale.run import AutoscaleReport


def add_to(app: typer.Typer) -> None:
    """Adds the command to `ssr bench`."""
    app.command()(autoscale)


def autoscale(
    quick: Annotated[
        bool, typer.Option("--quick", help="A short day with half the load: about a minute each.")
    ] = False,
    policies: Annotated[
        str,
        typer.Option(metavar="P,P,...", help="Of those below; ours is a must."),
    ] = "ours,schedule,queue,fixed-mean,fixed-peak",
    factor: Annotated[
        float | None, typer.Option(metavar="N", help="How many times as fast; 20, or 30 with --quick.")
    ] = None,
    seed: Annotated[
        str, typer.Option(metavar="N,N,...", help="Of the moments at which jobs come; several with --virtual.")
    ] = "1",
    virtual: Annotated[
        bool, typer.Option("--virtual", help="In virtual time, on models of the engines: a minute or two each.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write autoscale.png, autoscale.json and table.md there.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A day of load while engines start and stop as the policy says.

    The whole system with real processes; only the engines are simulated, and
    start in a local fleet instead of on Kubernetes, 60 s after they were asked
    for. Calm, a burst of 20 times the load within 30 s, calm, busy, then
    as busy with most drafts rewritten. Everything runs 20 times as fast; what is
    shown is in seconds of that day.

    \b
    Side by side:
      ours        the autoscaler
      schedule    the same, and the burst is in its schedule
      queue       an HPA on the number of waiting engine calls
      llm-d       the KEDA rule that llm-d recommends (not by default)
      llm-d-guard its other rule, fitted to these engines (not by default)
      aibrix      AIBrix's APA on the slots in use (not by default)
      dynamo      the load rule of Dynamo's planner (not by default)
      fixed-mean  a fixed fleet that costs as much as ours
      fixed-peak  a fixed fleet for the most that the day needs

    About 7 minutes for each. Look at the CPU table: where the machine itself is
    short of CPU, times to answer are the machine's, not the policy's.

    With --virtual there are no processes: the algorithm, the engine pools, their
    reports and the policies, on models of the engines' time. That repeats itself
    to the digit, and takes several seeds for intervals.

    Exit status: 1 when the autoscaler lost a job.

    Examples:

      ssr bench autoscale --quick --policies ours,queue
      ssr bench autoscale --out results
      ssr bench autoscale --virtual --seed 1,2,3 --policies ours,llm-d,fixed-peak
    """
    run(_autoscale(quick, policies, factor, seed, virtual, out, as_json))


async def _autoscale(
    quick: bool,
    policies: str,
    factor: float | None,
    seed: str,
    virtual: bool,
    out: Path | None,
    as_json: bool,
) -> ExitStatus:
    from ssr_bench.autoscale.day import FULL_DAY, QUICK_DAY
    from ssr_bench.autoscale.figures import figures_of
    from ssr_bench.autoscale.measure import measure_autoscale
    from ssr_bench.autoscale.pace import Pace
    from ssr_bench.autoscale.plan import AutoscalePlan
    from ssr_bench.autoscale.plot import check_plotting
    from ssr_bench.autoscale.policy import read_policies
    from ssr_bench.autoscale.result_files import autoscale_json, write_results
    from ssr_bench.autoscale.table import autoscale_table
    from ssr_bench.autoscale.virtual import measure_virtually

    seeds = numbers("seed", seed, int)
    if virtual and factor is not None:
        raise InvalidRequest("factor", "is of real time: leave it out with --virtual")
    if len(seeds) != 1 and not virtual:
        raise InvalidRequest("seed", "must be one without --virtual")
    pace = Pace(1.0 if virtual else factor if factor is not None else 30.0 if quick else 20.0)
    day, measure = QUICK_DAY if quick else FULL_DAY, measure_virtually if virtual else measure_autoscale
    plans = [AutoscalePlan(day, pace, read_policies(policies), one) for one in seeds]
    if out is not None:
        check_plotting()
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)

    async def measured(report_progress: ReportProgress) -> list[AutoscaleReport]:
        reports: list[AutoscaleReport] = []
        for plan in plans:
            async for report in measure(plan, report_progress):
                if out is not None and len(plans) == 1:  # what there is by now
                    await asyncio.to_thread(write_results, [report], out)
            reports.append(report)
        if out is not None:
            await asyncio.to_thread(write_results, reports, out)
        return reports

    reports = await reported(measured)
    show(autoscale_json(reports), autoscale_table(reports), as_json)
    figures = [one for report in reports for one in figures_of(report)]
    bad = [one for one in figures if one.policy.ours and one.lost_jobs]
    for one in bad:
        print_error(f"{one.policy.label}: {one.lost_jobs} jobs were lost")
    return ExitStatus.FAILURE if bad else ExitStatus.DONE
