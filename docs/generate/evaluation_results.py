"""The tables of evaluations whose records are kept: folders of docs/results that `ssr bench accuracy` has filled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ssr_bench.evaluation.results import results_of
from ssr_bench.evaluation.run_directory import PLAN, read
from ssr_bench.evaluation.table import grids, markdown


def evaluation_results(folder: Path) -> dict[str, Callable[[], str]]:
    """What makes the report of each evaluation in `folder`, by the name of its own folder."""
    return {plan.parent.name: partial(_report, plan.parent) for plan in sorted(folder.glob(f"*/{PLAN}"))}


def _report(folder: Path) -> str:
    evaluation = read(folder)
    [(_, results)] = results_of([evaluation])
    return markdown([evaluation], grids(results)).strip()
