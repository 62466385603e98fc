"""`ssr bench`: SSR measured on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console, RenderableType

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest
from ssr_bench.cli import accuracy as bench_accuracy
from ssr_bench.cli import consensus as bench_consensus
from ssr_bench.cli import equivalence as bench_equivalence
from ssr_bench.cli import gateway as bench_gateway
from ssr_bench.cli import record as bench_record
from ssr_bench.cli import replay as bench_replay
from ssr_bench.cli import routing as bench_routing
from ssr_bench.cli import scorers as bench_scorers
from ssr_bench.cli import utilisation as bench_utilisation
from ssr_bench.cli.evaluation_input import numbers

if TYPE_CHECKING:
    from ssr_bench.autoscale.run import AutoscaleReport
    from ssr_bench.burst import BurstReport
    from ssr_bench.cancellation import CancellationReport
    from ssr_bench.lookahead import LookaheadFigures
    from ssr_bench.overhead import OverheadReport
    from ssr_bench.priority import PriorityReport

bench_app = typer.Typer(
    name="bench",
    help="Measure SSR: itself on simulated engines, and how well it answers with the models at hand.",
    no_args_is_help=True,
)
bench_accuracy.add_to(bench_app)
bench_consensus.add_to(bench_app)
bench_equivalence.add_to(bench_app)
bench_gateway.add_to(bench_app)
bench_record.add_to(bench_app)
bench_replay.add_to(bench_app)
bench_routing.add_to(bench_app)
bench_scorers.add_to(bench_app)
bench_utilisation.add_to(bench_app)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]

Report = TypeVar("Report")

#: Reports what is being done.
_Progress = Callable[[str], None]


@bench_app.command("overhead")
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
    as_json: JsonOption = False,
) -> None:
    """What SSR costs beside its engines: time, CPU and memory a step.

    Brings up the whole stack on engines that take no time, and keeps so many
    jobs running. Beside it, in the same run: what bare gRPC, HTTP and Redis
    calls cost here, which is the floor.

    With --latency-model it compares how far drafts run ahead instead, where a
    draft takes 0.3 or 0.6 s, a verification 0.15 s, a step of the target 1.5 s,
    and 30 or 10 % of the steps are rewritten; in virtual time, so it takes
    seconds.

    Examples:

      ssr bench overhead
      ssr bench overhead --jobs 1,64 --seconds 30 --paths 5 --json
      ssr bench overhead --latency-model
    """
    if latency_model:
        run(_lookaheads(lookahead, paths, as_json))
    else:
        run(_overhead(jobs, seconds, warm_up, paths, steps, as_json))


@bench_app.command("burst")
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


@bench_app.command("priority")
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


@bench_app.command("cancellation")
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


@bench_app.command("autoscale")
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
    for. Calm, a class bell with 20 times the load within 30 s, calm, busy, then
    as busy with most drafts rewritten. Everything runs 20 times as fast; what is
    shown is in seconds of that day.

    \b
    Side by side:
      ours        the autoscaler
      schedule    the same, and the bell is in its schedule
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

    async def measured(report_progress: _Progress) -> list[AutoscaleReport]:
        reports: list[AutoscaleReport] = []
        for plan in plans:
            async for report in measure(plan, report_progress):
                if out is not None and len(plans) == 1:  # what there is by now
                    await asyncio.to_thread(write_results, [report], out)
            reports.append(report)
        if out is not None:
            await asyncio.to_thread(write_results, reports, out)
        return reports

    reports = await _reported(measured)
    _show(autoscale_json(reports), autoscale_table(reports), as_json)
    figures = [one for report in reports for one in figures_of(report)]
    bad = [one for one in figures if one.policy.ours and one.lost_jobs]
    for one in bad:
        print_error(f"{one.policy.label}: {one.lost_jobs} jobs were lost")
    return ExitStatus.FAILURE if bad else ExitStatus.DONE


async def _overhead(
    jobs: str, seconds: float, warm_up: float, paths: int | None, steps: int, as_json: bool
) -> ExitStatus:
    from ssr_bench.overhead import OverheadPlan, measure_overhead
    from ssr_bench.overhead_table import overhead_table

    plan = OverheadPlan(numbers("jobs", jobs, int), 1 if paths is None else paths, steps, seconds, warm_up)
    report: OverheadReport = await _reported(lambda report_progress: measure_overhead(plan, report_progress))
    _show(report, overhead_table(report), as_json)
    return ExitStatus.DONE


def _lookahead(text: str) -> int | None:
    return None if text == "adaptive" else int(text)


async def _lookaheads(lookahead: str, paths: int | None, as_json: bool) -> ExitStatus:
    from ssr_bench.lookahead import LookaheadPlan, compare_lookaheads
    from ssr_bench.report_tables import lookahead_table

    plan = LookaheadPlan(numbers("lookahead", lookahead, _lookahead), paths=1 if paths is None else paths)
    figures: tuple[LookaheadFigures, ...] = await _reported(lambda _: compare_lookaheads(plan))
    _show({"plan": plan, "lookaheads": figures}, lookahead_table(plan, figures), as_json)
    return ExitStatus.DONE


async def _burst(jobs: int, within: float, batch_jobs: int, capacity: int, as_json: bool) -> ExitStatus:
    from ssr_bench.burst import BurstPlan, measure_burst
    from ssr_bench.report_tables import burst_table

    plan = BurstPlan(jobs, within, batch_jobs, capacity)
    report: BurstReport = await _reported(lambda report_progress: measure_burst(plan, report_progress))
    _show(report, burst_table(report), as_json)
    if not report.borne:
        print_error("the burst was not borne: a part died, a job failed, or a refusal did not say when to come back")
        return ExitStatus.FAILURE
    return ExitStatus.DONE


async def _priority(batch_jobs: int, trials: int, places: int, as_json: bool) -> ExitStatus:
    from ssr_bench.priority import PriorityPlan, measure_priority
    from ssr_bench.report_tables import priority_table

    plan = PriorityPlan(batch_jobs, trials, places=places)
    report: PriorityReport = await _reported(lambda report_progress: measure_priority(plan, report_progress))
    _show(report, priority_table(report), as_json)
    return ExitStatus.DONE


async def _cancellation(trials: int, deadline: float, as_json: bool) -> ExitStatus:
    from ssr_bench.cancellation import CancellationPlan, measure_cancellation
    from ssr_bench.report_tables import cancellation_table

    plan = CancellationPlan(trials, deadline)
    report: CancellationReport = await _reported(lambda report_progress: measure_cancellation(plan, report_progress))
    _show(report, cancellation_table(report), as_json)
    return ExitStatus.DONE


async def _reported(measure: Callable[[_Progress], Awaitable[Report]]) -> Report:
    """The report of a measurement; on a terminal, what it is doing is shown."""
    with Console(stderr=True).status("measuring …") as spinner:
        return await measure(spinner.update)


def _show(report: object, table: RenderableType, as_json: bool) -> None:
    from ssr_bench.report_json import report_json

    if as_json:
        typer.echo(json.dumps(report_json(report), indent=2, ensure_ascii=False))
    else:
        Console().print(table)
