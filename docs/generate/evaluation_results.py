"""The tables of evaluations whose records are kept: folders of docs/results that `ssr bench accuracy` has filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ssr_bench.evaluation.results import CellResult, results_of
from ssr_bench.evaluation.run_directory import PLAN, Evaluation, read
from ssr_bench.evaluation.table import grids, markdown


def evaluation_results(folder: Path) -> dict[str, Callable[[], str]]:
    """What makes the results of each evaluation in `folder`: its report, by the name of its own folder, and figures.

    A figure is named by folder, way and what it is, as "paper-asdiv-ssr-3-right".
    """
    found: dict[str, Callable[[], str]] = {}
    for plan in sorted(folder.glob(f"*/{PLAN}")):
        name, evaluation = plan.parent.name, read(plan.parent)
        [(_, results)] = results_of([evaluation])
        found[name] = partial(_report, evaluation, results)
        for one in results:
            found |= {f"{name}-{one.label}-{what}": partial(str, text) for what, text in _figures(one).items()}
    return found


def _report(evaluation: Evaluation, results: Sequence[CellResult]) -> str:
    return markdown([evaluation], grids(results)).strip()


def _figures(one: CellResult) -> dict[str, str]:
    ratios = {"tokens": one.target_ratio, "flops": one.decode_ratio}
    right = sum(record.correct for record in one.records)
    shares = {} if one.rewrite_share is None else {"rewritten": f"{one.rewrite_share:.0%}"}
    return {
        "right": f"{right} of {len(one.records)}",
        **shares,
        **{name: f"{ratio.value:.1f}" for name, ratio in ratios.items() if ratio is not None},
    }
