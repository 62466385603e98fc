"""The overhead report for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr_bench.floor import CostFloor
from ssr_bench.overhead import LOAD_GENERATOR, Level, OverheadReport

_DEFINITIONS = """\
step: from one step of a path to the next, as its caller sees them; the engines take no time, so all of it is overhead.
CPU: of a part's processes, whatever it was for, divided by the committed steps.
floor: the bare calls of a step (2 gRPC, an HTTP call to draft, to score and to rewrite, an append), both ends.
memory: how much a part grew by at most, divided by the running jobs; Redis keeps finished jobs for a day."""

_Row = tuple[str, Callable[[Level], str]]


def overhead_table(report: OverheadReport) -> RenderableType:
    """A column for each number of concurrent jobs."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    plan = report.plan
    asked = f"{plan.paths} path(s) of about {plan.steps} steps a job, mode ssr, {plan.seconds:g} s a column; {machine}"
    return Group(
        _levels("jobs at a time", report.levels, _SPEED),
        _levels("CPU, ms a step", report.levels, _cpu_rows(report.levels)),
        _levels("memory, kB a running job", report.levels, _memory_rows(report.levels)),
        _floor(report.floor),
        Text(f"\n{asked}\n{_DEFINITIONS}", "dim"),
    )


_SPEED: Sequence[_Row] = (
    ("steps/s", lambda level: f"{level.steps_per_s:,.0f}"),
    ("jobs/s", lambda level: f"{level.jobs_per_s:,.1f}"),
    ("step, p50 ms", lambda level: f"{level.step_ms.p50:,.2f}"),
    ("step, p99 ms", lambda level: f"{level.step_ms.p99:,.2f}"),
    ("floor of a step, ms", lambda level: "" if level.floor_ms is None else f"{level.floor_ms:,.2f}"),
    ("jobs that got stuck", lambda level: f"{level.stuck_jobs:,}"),
    ("steps rewritten", lambda level: f"{level.rewritten_share:.0%}"),
)


def _cpu_rows(levels: Sequence[Level]) -> list[_Row]:
    rows: list[_Row] = [(name, _cpu_of(name)) for name in levels[0].cpu_ms_per_step if name != LOAD_GENERATOR]
    rows.append(("all parts", lambda level: f"{level.stack_cpu_ms:.2f}"))
    rows.append(("all but the engines", lambda level: f"{level.own_cpu_ms:.2f}"))
    rows.append(("floor", lambda level: f"{level.floor_cpu_ms:.2f}"))
    rows.append((LOAD_GENERATOR, _cpu_of(LOAD_GENERATOR)))
    return rows


def _cpu_of(part: str) -> Callable[[Level], str]:
    return lambda level: f"{level.cpu_ms_per_step[part]:.2f}"


def _memory_rows(levels: Sequence[Level]) -> list[_Row]:
    rows: list[_Row] = [
        (name, _memory_of(name)) for name in levels[0].memory.part_bytes_per_job if name != LOAD_GENERATOR
    ]
    rows.append(("in Redis, running", lambda level: f"{level.memory.redis_bytes_per_running_job / 1000:,.1f}"))
    rows.append(("in Redis, finished", lambda level: f"{level.memory.redis_bytes_per_finished_job / 1000:,.1f}"))
    return rows


def _memory_of(part: str) -> Callable[[Level], str]:
    return lambda level: f"{level.memory.part_bytes_per_job[part] / 1000:,.1f}"


def _levels(title: str, levels: Sequence[Level], rows: Sequence[_Row]) -> Table:
    table = _table(title, [f"{level.jobs:,}" for level in levels])
    for name, value in rows:
        table.add_row(name, *(value(level) for level in levels))
    return table


def _floor(floor: CostFloor) -> Table:
    table = _table("bare call", ["in flight", "p50 ms", "p99 ms", "ms a call", "CPU ms a call"])
    for call in floor.calls():
        figures = (call.latency_ms.p50, call.latency_ms.p99, call.elapsed_ms, call.cpu_ms)
        table.add_row(call.name, str(call.in_flight), *(f"{figure:.2f}" for figure in figures))
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(title, no_wrap=True, min_width=24)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
