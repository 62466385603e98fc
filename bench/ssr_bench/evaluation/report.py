"""The report's files: report.html, which needs no other file, the figures as PNG, SVG, PDF and CSV, and table.md."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ssr.core.errors import InvalidRequest
from ssr_bench.evaluation.canvas import Drawing
from ssr_bench.evaluation.figures import drawings
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.paired import holm
from ssr_bench.evaluation.results import results_of
from ssr_bench.evaluation.run_directory import Evaluation
from ssr_bench.evaluation.table import DEFINITIONS, MARGIN, changed_grid, grids, markdown, setting
from ssr_bench.report_json import report_json

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; display: block;
  overflow-x: auto; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 2rem 0; } img { max-width: 100%; } figcaption, .small { font-size: 13px; color: #555; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }"""


def write_report(
    evaluations: Sequence[Evaluation], folder: Path, reference: Evaluation | None = None, margin: float = MARGIN
) -> tuple[Grid, ...]:
    """Write the report into `folder`; gives its tables.

    `reference` has the baseline for those that have none of their own. Raises: InvalidRequest when nothing is recorded.
    """
    results = [one for _, cells in results_of(evaluations, reference) for one in cells]
    if not results:
        raise InvalidRequest("dir", "no run has ended yet; there is nothing to report")
    changed = changed_grid(evaluations)
    tables = (*([changed] if changed else []), *grids(results, margin))
    drawn, missing = drawings(results)
    folder.mkdir(parents=True, exist_ok=True)
    for one in drawn:
        one.write(folder)
    (folder / "table.md").write_text(markdown(evaluations, tables), encoding="utf-8")
    (folder / "report.html").write_text(html(evaluations, tables, drawn, missing), encoding="utf-8")
    return tables


def results_json(evaluations: Sequence[Evaluation], reference: Evaluation | None, margin: float) -> dict[str, Any]:
    """All that the tables show, and each cell's gain over the baseline, as JSON."""
    found = results_of(evaluations, reference)
    cells = [one for _, group in found for one in group]
    gains = [one.gain for one in cells]
    compared = [gain for gain in gains if gain is not None]
    different = iter(holm([gain.p for gain in compared]))
    worse = iter(holm([gain.no_worse_p(margin) for gain in compared]))
    rows = []
    for one, gain in zip(cells, gains, strict=True):
        row = report_json(one) | {"dataset": one.records[0].dataset, "runs": len(one.records)}
        if gain is not None:
            tests = {"p_holm": next(different), "no_loss_p_holm": next(worse)}
            row["gain"] |= tests | {"no_loss_p": gain.no_worse_p(margin), "margin": margin}
        rows.append(row)
    return {"evaluations": [{"name": one.name, "setting": list(setting(one))} for one, _ in found], "cells": rows}


def html(
    evaluations: Sequence[Evaluation], tables: Sequence[Grid], drawn: Sequence[Drawing], missing: Sequence[str]
) -> str:
    """The page, whole: its figures are in it."""
    parts = ["<h1>SSR: accuracy and compute</h1>"]
    for one in evaluations:
        parts += [f"<h2>{escape(one.name)}</h2>", _list(setting(one))]
    figures = [_figure(one) for one in drawn]
    parts += [*(table.html() for table in tables), "<h2>Figures</h2>", *figures]
    if missing:
        parts += ["<p>These runs have no data for:</p>", _list(missing)]
    parts += ["<h2>What the columns mean</h2>", _list(DEFINITIONS)]
    head = f'<meta charset="utf-8">\n<title>SSR: accuracy and compute</title>\n<style>\n{_STYLE}\n</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def _figure(one: Drawing) -> str:
    data = base64.b64encode(one.png).decode()
    caption = escape(one.caption)
    image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}\n<figcaption>{caption}</figcaption></figure>"


def _list(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f'<ul class="small">\n{items}</ul>'
