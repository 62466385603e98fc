"""`ssr bench gateway`: what the gateway adds to the gRPC API."""

from __future__ import annotations

from typing import Annotated

import typer

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.cli.running import run
from ssr_bench.cli.reporting import JsonOption, reported, show


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("gateway")(gateway)


def gateway(
    requests: Annotated[int, typer.Option(metavar="N", min=1, help="Of each way, one at a time.")] = 400,
    paced: Annotated[int, typer.Option(metavar="N", min=1, help="Streams of each way, one at a time.")] = 10,
    streams: Annotated[int, typer.Option(metavar="N", min=1, help="Streams at a time.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """What the gateway adds to the gRPC API: time and memory.

    Behind it is an orchestrator whose jobs are scripts and take no time, so what
    is measured is the gateway: a request, and a streamed step from its sending to
    its arrival, by gRPC, through it, and of the smallest application on its HTTP
    server in turn; then many streams at a time.

    Exit status: 1 when a request takes over 1 ms more at the median, a streamed
    step over 0.3 ms more, or the process over 300 MB.

    Example:

      ssr bench gateway --streams 1000
    """
    run(_gateway(requests, paced, streams, as_json))


async def _gateway(requests: int, paced: int, streams: int, as_json: bool) -> ExitStatus:
    from ssr_bench.gateway.measure import GatewayPlan, measure_gateway
    from ssr_bench.gateway.table import gateway_table

    plan = GatewayPlan(requests=requests, paced=paced, streams=streams)
    report = await reported(lambda report_progress: measure_gateway(plan, report_progress))
    show(report, gateway_table(report), as_json, width=140)
    for missed in report.missed:
        print_error(missed)
    return ExitStatus.FAILURE if report.missed else ExitStatus.DONE
