"""The files of a measurement: the picture, all that was recorded and computed, the tables."""

from __future__ import annotations

import json
from pathlib import Path

from ssr_bench.autoscale.figures import figures_of, need_of
from ssr_bench.autoscale.plot import draw
from ssr_bench.autoscale.run import AutoscaleReport
from ssr_bench.autoscale.table import autoscale_markdown
from ssr_bench.report_json import report_json


def autoscale_json(report: AutoscaleReport) -> object:
    """The figures, and the record they can be computed from."""
    return report_json({"figures": figures_of(report), "work_slot_s": need_of(report).work, "record": report})


def write_results(report: AutoscaleReport, folder: Path) -> None:
    """autoscale.png, autoscale.json and table.md in `folder`, which exists."""
    (folder / "autoscale.json").write_text(json.dumps(autoscale_json(report)))
    (folder / "table.md").write_text(autoscale_markdown(report))
    draw(report, folder / "autoscale.png")
