"""The report for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr_bench.utilisation.measure import LoadComparison, UtilisationReport

_COLUMNS = (
    "paths at a time",
    "mode",
    "tokens/s",
    "raw",
    "ratio",
    "goal",
    "first step ms",
    "answer s",
    "over raw",
    "calls/step",
    "CPU ms/step",
)
_LEGEND = """\
raw: the same prompts and lengths straight at the server (ssd: the draft engine, else the target), right behind, as many
at a time; ratio: tokens/s over raw. first step: from submission to the first committed step, p50. answer: a job's mean
time; over raw: over that of its raw generations. calls: requests to engines. CPU: services and Redis, not engines."""


def utilisation_table(report: UtilisationReport) -> RenderableType:
    """A row for each mode at each load."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, column in enumerate(_COLUMNS):
        table.add_column(column, justify="left" if place == 1 else "right", no_wrap=True)
    for one in report.comparisons:
        table.add_row(*_row(one))
    plan = report.plan
    engines = "simulated engines with their timing models" if plan.simulated else f"{plan.engine} {plan.draft_engine}"
    about = f"{engines}; {plan.services} of each service; {plan.rounds} rounds of paths, {plan.least} jobs at least"
    return Group(table, Text(f"\n{about}\n{_LEGEND}", "dim"))


def _row(one: LoadComparison) -> tuple[str, ...]:
    goal = "" if one.reached is None else "reached" if one.reached else "missed"
    return (
        f"{one.concurrency:,}",
        one.subject.name,
        f"{one.tokens_per_s:,.0f}",
        f"{one.raw_tokens_per_s:,.0f}",
        f"{one.rate_ratio:.2f}",
        goal,
        f"{one.first_step_ms.p50:,.0f}",
        f"{one.answer_s.mean:,.2f}",
        f"{one.answer_ratio:.2f}",
        f"{one.calls_per_step:.2f}",
        f"{one.cpu_ms:.1f}",
    )
