"""`ssr bench report` and `ssr bench calibrate`: what recorded evaluations show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr_bench.cli.reporting import JsonOption, show, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssr_bench.evaluation.run_directory import Evaluation

DirsArgument = Annotated[list[Path], typer.Argument(metavar="DIR...", help="What `ssr bench accuracy --out` made.")]
PoolArgument = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="What `ssr bench record` or `ssr bench accuracy --out` made.")
]
BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="DIR", help="Take the baseline's runs from there. Default: from each DIR."),
]

MarginOption = Annotated[
    float,
    typer.Option(metavar="POINTS", help="The loss of accuracy that is called none."),
]

#: Tables need it; a narrower terminal wraps their lines.
_WIDTH = 180


def report(
    dirs: DirsArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the report goes. Default: DIR/report of the first DIR.")
    ] = None,
    baseline: BaselineOption = None,
    margin: MarginOption = 5.0,
    publish: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the records there, packed and without texts. Of one DIR."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, not the tables.")] = False,
) -> None:
    """Tables and figures of what was recorded: report.html, table.md and the figures.

    A figure comes as PNG, SVG and PDF, with its data as CSV.

    Every number is computed from the records, so that an evaluation that is not
    finished can be looked at too. Several DIRs are shown side by side.

    What --publish writes has no text of a problem or a step, and gives the same
    report.

    Example:

      ssr bench report runs/gsm8k
    """
    run(_report(dirs, out, baseline, margin, publish, as_json=as_json))


def calibrate(
    dirs: PoolArgument,
    accuracy: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The wanted accuracy, 0..1. Default: the baseline's."),
    ] = None,
    decode_ratio: Annotated[
        float, typer.Option("--decode-ratio", metavar="R", help="At most this part of the baseline's compute.")
    ] = 1.0,
    margin: MarginOption = 5.0,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write calibration.md and figures there.")] = None,
    baseline: BaselineOption = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the calibration there (YAML), beside what it has.")
    ] = None,
    draft: Annotated[str, typer.Option(metavar="NAME", help="The draft model's name in it. Default: any.")] = "",
    target: Annotated[str, typer.Option(metavar="NAME", help="The target's name in it. Default: any.")] = "",
    domain: Annotated[str, typer.Option(metavar="NAME", help="The domain in it. Default: any.")] = "",
    draft_cost: Annotated[
        float, typer.Option("--draft-cost", metavar="R", help="Of samples: price of a draft token in target tokens.")
    ] = 0.047,
    as_json: JsonOption = False,
) -> None:
    """What the votes, or the scores, of a pair of models are worth.

    Of recorded samples (`ssr bench record`): fits how often each model is right,
    how their mistakes agree and what their paths show; tries settings of mode
    cascade, and of the target alone, by cross-validation; says whether drafting
    pays. Of recorded runs of ssd and ssr (`ssr bench accuracy`): how well scores
    tell right from wrong, and the threshold to use. Exit status: 3 when nothing
    gives the wanted trade.

    Of both: curves that make probabilities of scores, each chosen by
    cross-validation (isotonic or logistic); of runs in which every draft stood
    (--threshold 0). The file that --write makes is for SSR_ORCHESTRATOR_CALIBRATION
    and SSR_VERIFIER_CALIBRATION: what it has for the same models, domain and scorer
    is replaced.

    Examples:

      ssr bench calibrate traces --write pair.yaml
      ssr bench calibrate runs/gsm8k --accuracy 0.55 --decode-ratio 0.8
      ssr bench calibrate runs/judged --write pair.yaml --target 1.5B
    """
    from ssr_bench.cli.calibrate_pair import PairRequest, calibrate_samples, has_samples

    if any(has_samples(folder) for folder in dirs):
        pair = PairRequest(tuple(dirs), draft, target, domain, draft_cost, write, as_json, margin)
        run(calibrate_samples(pair))
    else:
        kept = Kept(write, draft, target, domain)
        run(_calibrate(dirs, Wish(accuracy, decode_ratio, margin), out, baseline, kept, as_json))


class Wish(NamedTuple):
    """What `calibrate` is asked for; `margin` in points."""

    accuracy: float | None
    decode_ratio: float
    margin: float


class Kept(NamedTuple):
    """Where curves go, and what they are for."""

    file: Path | None
    draft: str
    target: str
    domain: str


async def _report(
    dirs: Sequence[Path],
    out: Path | None,
    baseline: Path | None,
    margin: float,
    published: Path | None,
    *,
    as_json: bool,
) -> ExitStatus:
    from ssr_bench.evaluation.canvas import check_plotting
    from ssr_bench.evaluation.report import results_json, write_report
    from ssr_bench.evaluation.run_directory import publish as publish_records

    check_plotting()
    check_within("margin", margin, 0.01, 99)
    evaluations, reference = await _read(dirs, baseline)
    if published is not None:
        if len(dirs) > 1:
            raise InvalidRequest("publish", f"publishes one DIR alone; got {len(dirs)}")
        await asyncio.to_thread(publish_records, dirs[0], published)
    folder = out or dirs[0] / "report"
    tables = await asyncio.to_thread(write_report, evaluations, folder, reference, margin / 100)
    written = Text(f"written: {folder / 'report.html'}")
    report = results_json(evaluations, reference, margin / 100) if as_json else None
    show(report, Group(stacked(table.rich() for table in tables), written), as_json, _WIDTH)
    return ExitStatus.DONE


async def _calibrate(
    dirs: Sequence[Path],
    wish: Wish,
    out: Path | None,
    baseline: Path | None,
    kept: Kept,
    as_json: bool,
) -> ExitStatus:
    from ssr_bench.cli.calibration_file import entries_of, keep
    from ssr_bench.evaluation import calibration_report, curve_report
    from ssr_bench.evaluation.calibration import calibrations
    from ssr_bench.evaluation.canvas import check_plotting
    from ssr_bench.evaluation.results import cells_of
    from ssr_bench.evaluation.suggestion import Trade, suggest

    evaluations, reference = await _read(dirs, baseline)
    results = cells_of(evaluations, reference)
    found = await asyncio.to_thread(calibrations, results)
    if not found:
        raise InvalidRequest("dir", "no path has scores; record runs of mode ssd or ssr")
    suggestion = suggest(results, found, Trade.wanted(results, wish.accuracy, wish.decode_ratio, wish.margin / 100))
    if out is not None:
        check_plotting()
        await asyncio.to_thread(calibration_report.write_calibration, results, found, suggestion, out)
    curves = await asyncio.to_thread(curve_report.curves_of_runs, found)
    if kept.file is not None:
        if not curves:
            raise InvalidRequest("write", "no curve can be fitted: record more runs of ssd with --threshold 0")
        await asyncio.to_thread(keep, kept.file, None, entries_of(curves, kept.draft, kept.target, kept.domain))
    tables = stacked(grid.rich() for grid in calibration_report.grids(found))
    notes = Text("\n".join([*calibration_report.DEFINITIONS, ""]), "dim")
    advice = Text("\n".join([suggestion.reason, *(f"  {line}" for line in suggestion.settings)]))
    parts: list[RenderableType] = [tables, notes]
    if curves:
        parts += [stacked([curve_report.curve_grid(curves).rich()])]
        parts += [Text("\n".join([*curve_report.DEFINITIONS, ""]), "dim")]
    document = {"suggestion": suggestion, "scorers": found, "curves": curves}
    show(document, Group(*parts, advice), as_json, _WIDTH)
    return ExitStatus.DONE if suggestion.threshold is not None else ExitStatus.NO_ANSWER


async def _read(dirs: Sequence[Path], baseline: Path | None) -> tuple[list[Evaluation], Evaluation | None]:
    from ssr_bench.evaluation.run_directory import read

    evaluations = [await asyncio.to_thread(read, folder) for folder in dirs]
    return evaluations, None if baseline is None else await asyncio.to_thread(read, baseline)
