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
from ssr_bench.statistics import share


def lookahead_table(plan: LookaheadPlan, figures: Sequence[LookaheadFigures]) -> RenderableType:
    """A row for each lookahead under each model."""
    columns = ("rewritten", "ahead", "mean s", "time", "strict", "perfect", "wasted", "ledger")
    rows = [
        (
            f"{one.model.draft_s:g}",
            f"{one.model.rewritten:.0%}",
            "adaptive" if one.lookahead is None else str(one.lookahead),
            f"{one.answer_s.mean:.2f}",
            f"{one.time_ratio:.3f}",
            f"{one.model.strict_ratio:.3f}",
            f"{one.model.perfect_ratio:.3f}",
            f"{one.wasted_share:.1%}",
            f"{share(one.accounted_tokens, one.drafted_tokens):.1%}",
        )
        for one in figures
    ]
    model = plan.models[0]
    legend = (
        f"{plan.jobs} jobs of {plan.paths} path(s) of {model.min_steps}..{model.max_steps} steps; a verification "
        f"{model.verify_s:g} s, a step of the target {model.rewrite_s:g} s. The core's own loop in virtual time,\n"
        "without services. time: the mean to the answer over that of the target alone; strict, perfect: a step's where "
        "each call\nwaits for the one before, and where drafting hides all verification of accepted drafts; wasted: of "
        "the drafted tokens,\nthose no verification saw; ledger: those that the job's ledger has"
    )
    return _group("draft s", columns, rows, legend)


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
