"""The report as a picture: replicas against need for each policy and pool, and the time to answer over the day."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ssr.core.errors import CapabilityMissing
from ssr.engines.load import Pool
from ssr_bench.autoscale.figures import figures_of, need_of
from ssr_bench.autoscale.life import Change, asked, ready, within
from ssr_bench.autoscale.need import Need
from ssr_bench.autoscale.policy import Policy
from ssr_bench.autoscale.run import AutoscaleReport, DayRun
from ssr_bench.statistics import percentile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {
    Policy.OURS: "#1b6ca8",
    Policy.SCHEDULE: "#2a9d5c",
    Policy.QUEUE: "#d1495b",
    Policy.LLM_D: "#c9a227",
    Policy.LLM_D_GUARD: "#e07a1f",
    Policy.AIBRIX: "#7b9e3b",
    Policy.DYNAMO: "#3f8f8a",
    Policy.FIXED_MEAN: "#8d6a9f",
    Policy.FIXED_PEAK: "#6b7280",
}
#: A point of the line of answers stands for the jobs of so many seconds.
_BIN_S = 60.0
_MINUTE_S = 60.0


def check_plotting() -> None:
    """Raises: CapabilityMissing without matplotlib."""
    if find_spec("matplotlib") is None:
        raise CapabilityMissing(
            "drawing the picture needs matplotlib: pip install 'ssr-serve[plots]', or leave --out out"
        )


def draw(report: AutoscaleReport, path: Path) -> None:
    """Write the picture as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, need = len(report.runs), need_of(report)
    figure = Figure(figsize=(14, 2.1 * rows + 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows + 1, 2, height_ratios=[1.0] * rows + [1.7])
    highest = {pool: 1 + max(c.value for run in report.runs for c in asked(run.lives[pool])) for pool in Pool}
    for row, (run, figures) in enumerate(zip(report.runs, figures_of(report), strict=True)):
        for column, pool in enumerate(Pool):
            axes = figure.add_subplot(grid[row, column])
            _draw_pool(axes, run, need, pool)
            pools = figures.pools[pool]
            reported = f"{pools.paid_replica_s / 3600:.1f} replica-hours, {len(pools.flaps)} flaps"
            axes.set_title(f"{run.policy.label}: {pool} replicas ({reported})", fontsize=10, loc="left")
            axes.set_ylim(0, highest[pool])
            _mark_phases(axes, report, names=row == 0)
            if row == 0 and column == 0:
                axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.88), fontsize=8, framealpha=0.9)
    axes = figure.add_subplot(grid[rows, :])
    _draw_answers(axes, report)
    _mark_phases(axes, report, names=False)
    figure.savefig(path, dpi=110)


def _draw_pool(axes: Axes, run: DayRun, need: Need, pool: Pool) -> None:
    from matplotlib.ticker import MaxNLocator

    seconds, colour = need.day.seconds, _COLOURS[run.policy]
    minutes = [second / _MINUTE_S for second in range(0, int(seconds), 5)]
    needed = [need.replicas(pool, minute * _MINUTE_S) for minute in minutes]
    axes.fill_between(minutes, needed, step="post", color="#f2c14e", alpha=0.45, linewidth=0, label="needed")
    _steps(axes, ready(run.lives[pool]), seconds, color=colour, linewidth=1.8, label="serving")
    _steps(
        axes, asked(run.lives[pool]), seconds, color="black", linewidth=0.9, linestyle=(0, (3, 2)), label="asked for"
    )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _steps(axes: Axes, changes: Sequence[Change], seconds: float, **style: object) -> None:
    shown = within(changes, seconds)
    times = [change.at_s / _MINUTE_S for change in shown] + [seconds / _MINUTE_S]
    values = [change.value for change in shown] + [shown[-1].value]
    axes.step(times, values, where="post", **style)  # type: ignore[arg-type]


def _draw_answers(axes: Axes, report: AutoscaleReport) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    for run in report.runs:
        bins: dict[int, list[float]] = {}
        for job in run.jobs:
            if job.took_s is not None:
                bins.setdefault(int(job.at_s / _BIN_S), []).append(job.took_s)
        times = [(number + 0.5) * _BIN_S / _MINUTE_S for number in sorted(bins)]
        worst = [percentile(sorted(bins[number]), 95) for number in sorted(bins)]
        axes.plot(times, worst, color=_COLOURS[run.policy], linewidth=1.6, label=run.policy.label)
    axes.set_yscale("log")
    axes.set_title("time to answer, p95 of the jobs of each minute, seconds", fontsize=10, loc="left")
    axes.set_xlabel("minutes of the day")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", alpha=0.25)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)


def _mark_phases(axes: Axes, report: AutoscaleReport, *, names: bool) -> None:
    day = report.plan.day
    axes.set_xlim(0, day.seconds / _MINUTE_S)
    for start_s, phase in day.starts():
        axes.axvline(start_s / _MINUTE_S, color="black", alpha=0.25, linewidth=0.8)
        if names:
            place = (start_s + phase.seconds / 2) / _MINUTE_S
            top = axes.get_ylim()[1]
            axes.text(place, top * 0.97, phase.name, ha="center", va="top", fontsize=8, alpha=0.8)
