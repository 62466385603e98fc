"""The reports of one table each, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ssr_bench.burst import BurstReport
from ssr_bench.cancellation import CancellationReport
from ssr_bench.lookahead import LookaheadFigures, LookaheadPlan
from ssr_bench.priority import PriorityReport


def lookahead_table(plan: LookaheadPlan, figures: Sequence[LookaheadFigures]) -> RenderableType:
    """A row for each lookahead."""
    columns = ("mean s", "p50 s", "p99 s", "time", "drafted", "wasted", "wasted %")
    rows = [
        (
            str(one.lookahead),
            *(f"{seconds:.2f}" for seconds in (one.answer_s.mean, one.answer_s.p50, one.answer_s.p99)),
            f"{one.time_ratio:.3f}",
            f"{one.drafted_tokens:,.0f}",
            f"{one.wasted_tokens:,.0f}",
            f"{one.wasted_share:.1%}",
        )
        for one in figures
    ]
    model = plan.model
    legend = (
        f"{plan.jobs} jobs of {plan.paths} path(s) of {model.min_steps}..{model.max_steps} steps, mode ssr: a draft "
        f"{model.draft_s:g} s, a verification {model.verify_s:g} s, a rewrite {model.rewrite_s:g} s, "
        f"{model.rewritten:.0%} rewritten.\nThe core's own loop in virtual time, without services. time: the mean to "
        "the answer, as a ratio to lookahead 0;\ndrafted, wasted: draft tokens a job, and those no verification saw"
    )
    return _group("lookahead", columns, rows, legend)


def burst_table(report: BurstReport) -> RenderableType:
    """A row for each figure."""
    plan = report.plan
    rows = [
        ("interactive job starts after, s", f"{report.interactive_start_s:.3f}"),
        ("  batch jobs before it", f"{report.batch_unfinished:,} of {plan.batch_jobs:,}"),
        ("burst, jobs", f"{plan.jobs:,} in {report.sent_within_s:.2f} s"),
        ("  admitted", f"{report.admitted:,}"),
        ("  refused", f"{report.refused:,}"),
        ("  refused without a time to come back", f"{report.refused_without_delay:,}"),
        ("  time to come back, p50 and max s", f"{report.retry_after_s.p50:.1f}, {report.retry_after_s.max:.1f}"),
        ("  reply after, p50 and max s", f"{report.submit_s.p50:.2f}, {report.submit_s.max:.2f}"),
        ("  all admitted have ended after, s", f"{report.settled_s:.1f}"),
        *((f"  {_status(name)}", f"{count:,}") for name, count in sorted(report.outcomes.items())),
        ("parts that died", ", ".join(report.died) or "none"),
    ]
    return _group("burst", ("",), rows, f"the server admits {plan.capacity:,} unfinished jobs; engines take no time")


def priority_table(report: PriorityReport) -> RenderableType:
    """A row for each figure."""
    plan = report.plan
    rows = [
        ("alone, p50 and p95 s", f"{report.alone_s.p50:.2f}, {report.alone_p95_s:.2f}"),
        (
            f"beside {plan.batch_jobs:,} batch jobs",
            f"{report.beside_s.p50:.2f}, {report.beside_p95_s:.2f}",
        ),
        ("  times as long, p95", f"{report.slowdown:.2f}"),
        ("batch steps a second, by themselves", f"{report.batch_steps_alone:.1f}"),
        ("  beside the interactive jobs", f"{report.batch_steps_beside:.1f} ({report.batch_share:.0%})"),
    ]
    legend = f"{plan.trials} interactive jobs; {plan.places} calls at a time on each engine, {plan.pass_s:g} s a pass"
    return _group("priority", ("",), rows, legend)


def cancellation_table(report: CancellationReport) -> RenderableType:
    """A row for each way to end a job."""
    kinds = (("Cancel", report.cancel_ms), ("deadline", report.deadline_ms))
    rows = [(name, str(one.count), *(f"{value:.1f}" for value in (one.p50, one.p99, one.max))) for name, one in kinds]
    legend = "milliseconds until the engine has no request in flight any more; the job's draft hangs in the engine"
    return _group("ended by", ("trials", "p50 ms", "p99 ms", "max ms"), rows, legend)


def _status(name: str) -> str:
    return name.removeprefix("JOB_STATUS_").lower().replace("_", " ")


def _group(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], legend: str) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return Group(table, Text(f"\n{legend}", "dim"))
