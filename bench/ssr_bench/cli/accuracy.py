"""`ssr bench accuracy`, `report` and `calibrate`: whether SSR pays off, on problems with known answers."""

from __future__ import annotations

import shlex
import sys
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ssr import __version__
from ssr.cli.access import Access, AccessFlags, with_access
from ssr.cli.destination import SERVER_VARIABLE, Destination, asked_presets, connected, destination_of, wanted_server
from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import refusing, run
from ssr.core.limits import check_within
from ssr_bench.cli.evaluation_input import commit, job_option, machine, names, numbers
from ssr_bench.cli.evaluation_progress import EvaluationProgress
from ssr_bench.cli.report import calibrate, report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssr_bench.evaluation.dataset import Problem
    from ssr_bench.evaluation.plan import Plan, WantedCells
    from ssr_bench.evaluation.run_directory import EvaluationOrigin, Records
    from ssr_bench.evaluation.system import MeasuredSystem, SittingRecord


def add_to(app: typer.Typer) -> None:
    """Add the commands to `ssr bench`."""
    app.command("accuracy")(accuracy)
    app.command("report")(report)
    app.command("calibrate")(calibrate)


@with_access()
def accuracy(
    ctx: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="gsm8k, svamp, asdiv, multiarith, math500, aime2024, livemathbench, or a .jsonl file.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the plan and the records go, or are gone on with.")],
    modes: Annotated[
        str,
        typer.Option(
            metavar="M,M,...", help="Of draft, baseline, parallel, parallel-spm, ssd, parallel-ssd, ssr, cascade."
        ),
    ] = "draft,baseline,parallel,parallel-spm,ssd,ssr",
    paths: Annotated[
        str, typer.Option(metavar="N,N,...", help="Paths of the parallel modes and ssr. Default: the server's.")
    ] = "",
    reserve: Annotated[
        str, typer.Option(metavar="N,N,...", help="Of ssr: paths the target writes, if need be. Default: the server's.")
    ] = "",
    stop_rule: Annotated[
        str, typer.Option("--stop-rule", metavar="R,R,...", help="Of full (the default), fast-1, fast-2, evidence.")
    ] = "",
    thresholds: Annotated[
        str, typer.Option(metavar="T,T,...", help="Of ssd and ssr, 0..9. Default: the server's.")
    ] = "",
    scorers: Annotated[str, typer.Option(metavar="S,S,...", help="Of ssd and ssr. Default: the server's.")] = "",
    repeats: Annotated[int, typer.Option(metavar="R", help="Runs of each problem, for pass@k.")] = 1,
    limit: Annotated[int | None, typer.Option(metavar="N", help="So many problems. Default: all.")] = None,
    offset: Annotated[int, typer.Option(metavar="K", help="Leave out the first K problems.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="Of all sampling.")] = 0,
    unseeded: Annotated[
        bool, typer.Option("--unseeded", help="Let the server choose the seeds of all sampling.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Another option of every job, such as max_path_tokens=2048."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", help="A problem's deadline: then it ends with what it has.")
    ] = 3600.0,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Problems at a time.")] = 1,
    server: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", envvar=SERVER_VARIABLE, help="Ask this server, not a stack of our own."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="The stack to bring up: local (default), smoke or simulated; or options by name: paper, the authors' "
            "settings, over which the cells' own options win. One of each may be given.",
        ),
    ] = None,
    *,
    flags: AccessFlags,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the records, such as a commit.")] = "",
    gpus: Annotated[
        float | None, typer.Option(metavar="N", help="How many GPUs the engines have, for the GPU-seconds.")
    ] = None,
    allow_changes: Annotated[
        bool,
        typer.Option("--allow-changes", help="Go on with another server, model, scorer or prompt; the tables say so."),
    ] = False,
) -> None:
    """Solve problems with known answers in many ways, and record all of it.

    Every mode on every problem; --paths, --reserve, --stop-rule, --thresholds
    and --scorers multiply the modes in which they matter. Mode draft is the
    draft model alone, the floor. The known answers never leave this program.

    Each run is recorded in DIR when it ends. After Ctrl-C, or a crash, the same
    command goes on where it was; DIR takes no other plan, nor another server,
    model, engine, scorer or prompt than it began with. Then see
    `ssr bench report DIR` and `ssr bench calibrate DIR`.

    Of datasets by name, the rows come from the Hugging Face hub and are kept in
    ~/.cache/ssr/datasets. A .jsonl file has an object a line with id, problem,
    answer and, for multiple choice, choices.

    Examples:

      ssr bench accuracy --dataset gsm8k --limit 60 --paths 3 --out runs/gsm8k
      ssr bench accuracy --dataset my.jsonl --modes baseline,ssr --paths 1,3,5 \\
          --thresholds 5,7,9 --server 127.0.0.1:7600 --concurrency 8 --out runs/mine
    """
    from ssr_bench.evaluation.plan import WantedCells
    from ssr_bench.evaluation.runner import MAX_CONCURRENCY

    with refusing():
        named = asked_presets(preset or ())
        asked = _Asked(
            dataset=dataset,
            limit=limit,
            offset=offset,
            wanted=WantedCells(
                names(modes),
                numbers("paths", paths, int),
                names(stop_rule),
                numbers("thresholds", thresholds, float),
                names(scorers),
                numbers("reserve", reserve, int),
            ),
            repeats=repeats,
            seed=None if unseeded else seed,
            timeout_s=timeout,
            options={
                **({"preset": named.options} if named.options else {}),
                **dict(job_option(text) for text in option or ()),
            },
            target=destination_of(wanted_server(ctx, server, named.stack), named.stack),
            access=flags.checked(),
            concurrency=concurrency,
            out=out,
            note=note,
            gpus=gpus,
            allow_changes=allow_changes,
        )
        check_within("concurrency", concurrency, 1, MAX_CONCURRENCY)
    run(_accuracy(asked), interrupted=f"interrupted: what ended is recorded in {out}; the same command goes on")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `accuracy` was asked for."""

    dataset: str
    limit: int | None
    offset: int
    wanted: WantedCells
    repeats: int
    seed: int | None
    timeout_s: float
    options: dict[str, Any]
    target: Destination
    access: Access
    concurrency: int
    out: Path
    note: str
    gpus: float | None
    allow_changes: bool


async def _accuracy(asked: _Asked) -> ExitStatus:
    from ssr_bench.evaluation.dataset import selected
    from ssr_bench.evaluation.hub import load_dataset
    from ssr_bench.evaluation.plan import make_plan
    from ssr_bench.evaluation.run_directory import opened

    problems = selected(await load_dataset(asked.dataset), asked.offset, asked.limit)
    name = Path(asked.dataset).name
    plan = make_plan(
        name,
        problems,
        asked.wanted,
        offset=asked.offset,
        preset=asked.target.preset if asked.target.embedded else "",
        repeats=asked.repeats,
        seed=asked.seed,
        timeout_s=asked.timeout_s,
        options=asked.options,
    )
    with opened(asked.out, plan, _origin(asked)) as (records, origin):
        await _evaluated(asked, plan, problems, records, origin)
    Console().print(f"recorded in {asked.out}; see: ssr bench report {asked.out}", highlight=False)
    return ExitStatus.DONE


async def _evaluated(
    asked: _Asked, plan: Plan, problems: Sequence[Problem], records: Records, origin: EvaluationOrigin
) -> None:
    from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
    from ssr_bench.evaluation.record import Setting
    from ssr_bench.evaluation.runner import Sitting, remaining, run_plan
    from ssr_bench.evaluation.system import reported_system

    left = sum(1 for _ in remaining(plan, problems, records))
    total = plan.count * len(plan.cells) * plan.repeats
    if not left:
        return
    notes = Console(stderr=True)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(asked.target, asked.access, notes))
        equivalence = await stack.enter_async_context(MathVerifyEquivalence())
        progress = stack.enter_context(EvaluationProgress(notes, total, total - left))
        system = await reported_system(client, asked.target.server)
        seat = records.sit(_sitting(asked, system), changes_allowed=asked.allow_changes)
        setting = Setting(plan.dataset, asked.concurrency, __version__, seat.number, system.scorer, asked.gpus)
        sitting = Sitting(client, equivalence, setting, origin.run_id, progress.log)
        await run_plan(plan, problems, records, sitting)


def _origin(asked: _Asked) -> EvaluationOrigin:
    from ssr_bench.evaluation.run_directory import EvaluationOrigin

    return EvaluationOrigin(
        run_id=uuid.uuid4().hex,
        command=shlex.join(["ssr", *sys.argv[1:]]),
        version=__version__,
        machine=machine(),
        note=asked.note,
        server=asked.target.server,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _sitting(asked: _Asked, system: MeasuredSystem) -> SittingRecord:
    from ssr_bench.evaluation.system import SittingRecord

    return SittingRecord(
        began=datetime.now(UTC),
        system=system,
        command=shlex.join(["ssr", *sys.argv[1:]]),
        commit=commit(),
        version=__version__,
        machine=machine(),
        note=asked.note,
        gpus=asked.gpus,
    )
