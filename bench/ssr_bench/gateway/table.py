"""The report of the gateway for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from ssr_bench.gateway.measure import (
    GOAL_BYTES,
    GOAL_REQUEST_MS,
    GOAL_STEP_MS,
    Compared,
    GatewayReport,
)


def gateway_table(report: GatewayReport) -> RenderableType:
    """Two tables: one at a time by both ways, and many streams at once."""
    compared = Table(title="The gateway, beside the gRPC API, one at a time")
    for column in (
        "",
        "HTTP alone, p50 ms",
        "gRPC p50 / p99 ms",
        "gateway p50 / p99 ms",
        "added p50 / p10 ms",
        "goal",
        "CPU ms, client / gateway",
    ):
        compared.add_column(column, justify="left" if not column else "right")
    compared.add_row("a request", *_row(report.request, GOAL_REQUEST_MS))
    compared.add_row("a streamed step, from its sending", *_row(report.step, GOAL_STEP_MS))
    many = Table(title="Streams at a time, through one process")
    for column in ("streams", "steps", "a step, p50 / p99 ms", "CPU ms a step", "MB before / at most", "goal"):
        many.add_column(column, justify="right")
    of = report.many
    many.add_row(
        str(of.streams),
        str(of.steps),
        f"{of.step_ms.p50:.1f} / {of.step_ms.p99:.1f}",
        f"{of.cpu_ms_a_step:.2f}",
        f"{of.idle_bytes / 1e6:.0f} / {of.peak_bytes / 1e6:.0f}",
        f"{GOAL_BYTES / 1e6:.0f}",
    )
    return Group(compared, many)


def _row(of: Compared, goal: float) -> tuple[str, ...]:
    grpc, gateway = (f"{one.p50:.2f} / {one.p99:.2f}" for one in (of.grpc_ms, of.gateway_ms))
    added, cpu = f"{of.added_ms:.2f} / {of.added_p10_ms:.2f}", f"{of.client_cpu_ms:.2f} / {of.gateway_cpu_ms:.2f}"
    return f"{of.http_ms.p50:.2f}", grpc, gateway, added, f"{goal:g}", cpu
