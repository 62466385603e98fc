"""How an evaluation's progress is shown."""

from __future__ import annotations

from io import StringIO

from evaluation_records import SSD, record
from rich.console import Console

from ssr.core.job import JobStatus
from ssr_bench.cli.evaluation_progress import EvaluationProgress


def shown(terminal: bool) -> str:
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, width=120)
    with EvaluationProgress(console, total=5, done=2) as progress:
        progress.log(record(SSD, "sum-7"))
        progress.log(record(SSD, "sum-8", correct=False, status=JobStatus.FAILED))
    return out.getvalue()


def test_a_terminal_has_a_bar_with_an_eta() -> None:
    assert all(part in shown(terminal=True) for part in ("4/5", "ETA", "sum-8 ssd, 1 lost"))


def test_elsewhere_a_line_reports_it() -> None:
    assert shown(terminal=False).startswith("4 of 5 runs, 1 of 2 right, 1 lost, ETA 0:00:0")
