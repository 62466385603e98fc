"""The files of a measurement: the picture, all that was recorded and computed, the tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ssr_bench.autoscale.day import BURST
from ssr_bench.autoscale.figures import figures_of, need_of
from ssr_bench.autoscale.plot import draw
from ssr_bench.autoscale.run import AutoscaleReport
from ssr_bench.autoscale.seeds import over_seeds
from ssr_bench.autoscale.table import autoscale_markdown
from ssr_bench.report_json import report_json


def autoscale_json(reports: Sequence[AutoscaleReport]) -> object:
    """The figures, and the record they can be computed from; of several seeds the figures alone, and those of all."""
    if len(reports) == 1:
        (report,) = reports
        return report_json({"figures": figures_of(report), "work_slot_s": need_of(report).work, "record": report})
    figures = {str(report.plan.seed): figures_of(report) for report in reports}
    return report_json({"over_seeds": over_seeds(reports, BURST), "figures": figures, "plan": reports[0].plan})


def write_results(reports: Sequence[AutoscaleReport], folder: Path) -> None:
    """autoscale.png (of the first seed), autoscale.json and table.md in `folder`, which exists."""
    (folder / "autoscale.json").write_text(json.dumps(autoscale_json(reports)))
    (folder / "table.md").write_text(autoscale_markdown(reports))
    draw(reports[0], folder / "autoscale.png")
