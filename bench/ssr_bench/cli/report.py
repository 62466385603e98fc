"""`ssr bench report` and `ssr bench calibrate`: what recorded evaluations tell."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssr_bench.evaluation.run_directory import Evaluation

DirsArgument = Annotated[list[Path], typer.Argument(metavar="DIR...", help="What `ssr bench accuracy --out` made.")]
BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="DIR", help="Take the baseline's runs from there. Default: from each DIR."),
]

#: Tables need it; a narrower terminal wraps their lines.
_WIDTH = 180


def report(
    dirs: DirsArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the report goes. Default: DIR/report of the first DIR.")
    ] = None,
    baseline: BaselineOption = None,
) -> None:
    """Tables and figures of what was recorded: report.html, table.md and PNG files.

    Every number is computed from the records, so that an evaluation that is not
    finished can be looked at too. Several DIRs are told side by side.

    Example:

      ssr bench report runs/gsm8k
    """
    run(_report(dirs, out, baseline))


def calibrate(
    dirs: DirsArgument,
    accuracy: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The wanted accuracy, 0..1. Default: the baseline's."),
    ] = None,
    decode_ratio: Annotated[
        float, typer.Option("--decode-ratio", metavar="R", help="At most this part of the baseline's compute.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write calibration.md and figures there.")] = None,
    baseline: BaselineOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How well scores tell right from wrong, and the threshold to use.

    From recorded runs of ssd and ssr. What was measured is suggested before what
    can only be estimated. Exit status: 3 when nothing gives the wanted trade.

    Example:

      ssr bench calibrate runs/gsm8k --accuracy 0.55 --decode-ratio 0.8
    """
    run(_calibrate(dirs, accuracy, decode_ratio, out, baseline, as_json))


async def _report(dirs: Sequence[Path], out: Path | None, baseline: Path | None) -> ExitStatus:
    from ssr_bench.evaluation.figures import check_plotting
    from ssr_bench.evaluation.report import write_report

    check_plotting()
    evaluations, reference = await _read(dirs, baseline)
    folder = out or dirs[0] / "report"
    tables = await asyncio.to_thread(write_report, evaluations, folder, reference)
    console = Console(width=_WIDTH)
    for table in tables:
        console.print(table.rich(), "", highlight=False)
    console.print(f"written: {folder / 'report.html'}", highlight=False)
    return ExitStatus.DONE


async def _calibrate(
    dirs: Sequence[Path],
    accuracy: float | None,
    decode_ratio: float,
    out: Path | None,
    baseline: Path | None,
    as_json: bool,
) -> ExitStatus:
    from ssr_bench.evaluation import calibration_report
    from ssr_bench.evaluation.calibration import calibrations
    from ssr_bench.evaluation.figures import check_plotting
    from ssr_bench.evaluation.results import cells_of
    from ssr_bench.evaluation.suggestion import Trade, suggest
    from ssr_bench.report_json import report_json

    evaluations, reference = await _read(dirs, baseline)
    results = cells_of(evaluations, reference)
    found = await asyncio.to_thread(calibrations, results)
    if not found:
        raise InvalidRequest("dir", "no path has scores; record runs of mode ssd or ssr")
    suggestion = suggest(results, found, Trade.wanted(results, accuracy, decode_ratio))
    if out is not None:
        check_plotting()
        await asyncio.to_thread(calibration_report.write_calibration, results, found, suggestion, out)
    console = Console(width=_WIDTH)
    if as_json:
        typer.echo(json.dumps(report_json({"suggestion": suggestion, "scorers": found}), indent=2))
    else:
        for grid in calibration_report.grids(found):
            console.print(grid.rich(), "", highlight=False)
        console.print(Text("\n".join([*calibration_report.DEFINITIONS, ""]), "dim"))
        console.print(Text("\n".join([suggestion.reason, *(f"  {line}" for line in suggestion.settings)])))
    return ExitStatus.DONE if suggestion.threshold is not None else ExitStatus.NO_ANSWER


async def _read(dirs: Sequence[Path], baseline: Path | None) -> tuple[list[Evaluation], Evaluation | None]:
    from ssr_bench.evaluation.run_directory import read

    evaluations = [await asyncio.to_thread(read, folder) for folder in dirs]
    return evaluations, None if baseline is None else await asyncio.to_thread(read, baseline)
