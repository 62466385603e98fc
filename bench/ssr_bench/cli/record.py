"""`ssr bench record`: samples of two models on a data set, for `ssr bench replay` and `ssr bench calibrate`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import refusing, run
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr_bench.cli.scorers import engine_settings

if TYPE_CHECKING:
    from ssr.engines.settings import EngineSettings
    from ssr_bench.replay.recording import RecordingPlan

_MAX_SAMPLES, _MAX_CONCURRENCY = 64, 1024


def add_to(app: typer.Typer) -> None:
    """Add the command to `ssr bench`."""
    app.command("record")(record)


def record(
    dataset: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A data set by name (see ssr methods), or a .jsonl file.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where draft.jsonl and target.jsonl go, or are gone on with.")
    ],
    draft: Annotated[
        str, typer.Option(metavar="URL,...", help="The draft engine, or replicas; none: leave it out.")
    ] = "",
    target: Annotated[str, typer.Option(metavar="URL,...", help="The target engine, likewise.")] = "",
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="Their API: tgi, openai, vllm, sglang or llamacpp.")
    ] = "tgi",
    samples: Annotated[int, typer.Option(metavar="N", help="Samples of each problem and model.")] = 4,
    limit: Annotated[int | None, typer.Option(metavar="N", help="So many problems. Default: all.")] = None,
    offset: Annotated[int, typer.Option(metavar="K", help="Leave out the first K problems.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the sampling.")] = 0,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Paths at a time.")] = 32,
    max_path_tokens: Annotated[int, typer.Option(metavar="N", help="Longest path, in tokens.")] = 2048,
    timeout: Annotated[float, typer.Option(metavar="S", help="Of a call of the engine.")] = 300.0,
) -> None:
    """Record samples of a draft and a target model.

    With the product's own prompts and steps, from engines that serve already; one
    after the other, if only one fits. Each problem is written when all of its
    samples have ended: after Ctrl-C the same command goes on. The known answers
    are written beside them for grading, and no model sees them.

    Then: `ssr bench replay DIR`, `ssr bench calibrate DIR`.

    Example:

      ssr bench record --dataset svamp --limit 100 --out pools/pair \\
          --draft http://127.0.0.1:8001 --target http://127.0.0.1:8002
    """
    from ssr_bench.replay.recording import RecordingPlan

    with refusing():
        if not draft and not target:
            raise InvalidRequest("target", "name the target's engine, the draft's, or both")
        check_within("samples", samples, 1, _MAX_SAMPLES)
        check_within("concurrency", concurrency, 1, _MAX_CONCURRENCY)
        check_within("max-path-tokens", max_path_tokens, 1, 65_536)
        engines = {
            name: engine_settings(urls, kind, None, None, None, None, timeout)
            for name, urls in (("draft", draft), ("target", target))
            if urls
        }
    plan = RecordingPlan(Path(dataset).stem, samples, concurrency, seed, max_path_tokens)
    asked = _Asked(dataset, out, engines, plan, limit, offset)
    run(_record(asked), interrupted=f"interrupted: what ended is recorded in {out}; the same command goes on")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `record` was asked for."""

    dataset: str
    out: Path
    engines: dict[str, EngineSettings]
    plan: RecordingPlan
    limit: int | None
    offset: int


async def _record(asked: _Asked) -> ExitStatus:
    from ssr.engines.connect import open_engine
    from ssr_bench.evaluation.dataset import selected
    from ssr_bench.evaluation.hub import load_dataset
    from ssr_bench.replay.recording import record as recorded

    problems = selected(await load_dataset(asked.dataset), asked.offset, asked.limit)
    await asyncio.to_thread(asked.out.mkdir, parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for name, settings in asked.engines.items():
            task = progress.add_task(name, total=len(problems))
            async with open_engine(settings) as engine:
                file, report = asked.out / f"{name}.jsonl", partial(progress.advance, task)
                await recorded(engine, file, problems, asked.plan, report)
    Console().print(f"recorded in {asked.out}; see: ssr bench replay {asked.out}", highlight=False)
    return ExitStatus.DONE
