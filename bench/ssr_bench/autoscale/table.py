"""The report for people: tables of times to answer, replicas and CPU; in a terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr.engines.load import Pool
from ssr_bench.autoscale.day import BURST, ArrivalKind
from ssr_bench.autoscale.figures import WHOLE_DAY, RunFigures, figures_of, need_of
from ssr_bench.autoscale.load import NOT_ENDED
from ssr_bench.autoscale.run import AutoscaleReport
from ssr_bench.autoscale.seeds import SeedMean, over_seeds
from ssr_bench.statistics import share

_DEFINITIONS = """\
to answer: from the moment a job is due to its answer at the caller; of the jobs that came in a phase.
lost: jobs that did not end with an answer.
flaps: changes of the number asked for against the one before, within the stabilisation window, that the need does not \
call for.
replica-s: seconds of all replicas, from the asking for each to its end. need: the load script's work over slots x \
utilisation.
missing: replica-seconds that were needed and did not serve. most: asked for at a time.
±: half of the 95 % interval over the seeds (Student's t). peak: the fixed fleet for the most that the day needs.
CPU: what the measurement used of all cores, its most within a second, and what other programs used meanwhile."""

_STRICT = ", most drafts rewritten"


@dataclass(frozen=True, slots=True)
class _Grid:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def autoscale_table(reports: Sequence[AutoscaleReport]) -> RenderableType:
    """A row for each policy; of several seeds the means first, then the first one's tables. Raises: ValueError without
    reports."""
    return Group(*map(_rich, _all_grids(reports)), Text(f"\n{_setting(reports[0])}\n{_DEFINITIONS}", "dim"))


def autoscale_markdown(reports: Sequence[AutoscaleReport]) -> str:
    """The same, for a document."""
    grids = "\n\n".join(map(_markdown, _all_grids(reports)))
    lines = [f"- {line}" for line in (*_setting(reports[0]).splitlines(), *_DEFINITIONS.splitlines())]
    return "\n".join([grids, "", *lines, ""])


def _all_grids(reports: Sequence[AutoscaleReport]) -> Sequence[_Grid]:
    if len(reports) == 1:
        return _grids(reports[0])
    seeds = ", ".join(str(report.plan.seed) for report in reports)
    rows = [
        (
            one.policy.label,
            *map(_estimate, (one.p50_s, one.p95_s, one.burst_p95_s, one.replica_s)),
            *map(_ratio, (one.p95_of_peak, one.of_peak)),
            str(one.flaps),
            str(one.lost),
        )
        for one in over_seeds(reports, BURST)
    ]
    columns = (
        *("p50, s", "p95, s", "p95 of the burst, s", "replica-s"),
        *("p95 / peak", "replica-s / peak", "flaps", "lost"),
    )
    return (_Grid(f"seeds {seeds}", columns, rows), *_grids(reports[0]))


def _grids(report: AutoscaleReport) -> Sequence[_Grid]:
    figures, phases = figures_of(report), [phase.name for phase in report.plan.day.phases]
    answers = [
        (one.policy.label, *(_seconds(one.phases[name].p95_s) for name in (*phases, WHOLE_DAY))) for one in figures
    ]
    return (
        _Grid("p95 to answer, s", (*phases, WHOLE_DAY), answers),
        _Grid(
            "whole day", ("p50, s", "p95, s", "lost jobs", "flaps", "replica-s"), [_whole_day(one) for one in figures]
        ),
        *(
            _Grid(
                f"{pool} engines",
                ("replica-s", "/ need", "missing", "most", "changes"),
                [_pool(one, pool) for one in figures],
            )
            for pool in Pool
        ),
        *(
            [_Grid("CPU", (*phases, "most", "others"), [_cpu(one, phases) for one in figures])]
            if any(run.cpu for run in report.runs)
            else []
        ),
    )


def _whole_day(one: RunFigures) -> Sequence[str]:
    day = one.phases[WHOLE_DAY]
    return (
        one.policy.label,
        _seconds(day.p50_s),
        _seconds(day.p95_s),
        _lost(one),
        str(one.flaps),
        f"{one.paid_replica_s:,.0f}",
    )


def _pool(one: RunFigures, pool: Pool) -> Sequence[str]:
    figures = one.pools[pool]
    return (
        one.policy.label,
        f"{figures.paid_replica_s:,.0f}",
        f"{share(figures.paid_replica_s, figures.needed_replica_s):.2f}",
        f"{figures.missing_replica_s:,.0f}",
        str(figures.most_asked),
        str(figures.changes),
    )


def _cpu(one: RunFigures, phases: Sequence[str]) -> Sequence[str]:
    day = one.phases[WHOLE_DAY]
    parts = [one.phases[name].cpu for name in phases]
    return (
        one.policy.label,
        *(f"{value:.0%}" for value in (*parts, day.cpu_most, max(day.machine_cpu - day.cpu, 0.0))),
    )


def _lost(one: RunFigures) -> str:
    reported = ", ".join(f"{count} {_words(status)}" for status, count in sorted(one.lost.items()))
    return f"{one.lost_jobs} ({reported})" if reported else "0"


def _words(status: str) -> str:
    return "not ended" if status == NOT_ENDED else status.lower().replace("_", " ")


def _estimate(value: SeedMean) -> str:
    half = "" if value.half is None else f" ± {value.half:,.0f}"
    return f"{value.mean:,.0f}{half}"


def _ratio(value: SeedMean | None) -> str:
    if value is None:
        return "-"
    return f"{value.mean:.2f}" + ("" if value.half is None else f" ± {value.half:.2f}")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _setting(report: AutoscaleReport) -> str:
    plan, need = report.plan, need_of(report)
    day, pace = plan.day, plan.pace
    phases = ", ".join(
        f"{phase.name} {phase.seconds:g} s ({phase.load:g}x{_STRICT if phase.kind is ArrivalKind.STRICT else ''})"
        for phase in day.phases
    )
    pools = "; ".join(
        f"{pool}: {limits.slots} slots a replica, at most {need.peak(pool)} needed"
        for pool, limits in need.limits.items()
    )
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items()) or "engines are models of time"
    pace_words = f"{pace.factor:g} times as fast" if report.machine else "in virtual time"
    died = sorted({name for run in report.runs for name in run.died})
    return (
        f"day of {day.seconds:,.0f} s, {pace_words}: {phases}\n"
        f"calm is {day.calm_jobs_per_s:g} jobs/s; a job has {day.paths} path(s) of about {day.operations + 1} steps; "
        f"start-up {plan.startup_s:g} s\n"
        f"HPA on queue: a replica for every {plan.queue_target:g} calls that wait\n{pools}\n{machine}"
        + (f"\nparts that died: {', '.join(died)}" if died else "")
    )


def _rich(grid: _Grid) -> Table:
    table = Table(box=None, padding=(1, 2, 0, 0), header_style="bold")
    table.add_column(grid.title, no_wrap=True)
    for column in grid.columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in grid.rows:
        table.add_row(*row)
    return table


def _markdown(grid: _Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    ruler = ["---", *["---:"] * len(grid.columns)]
    return "\n".join([line((grid.title, *grid.columns)), line(ruler), *map(line, grid.rows)])
