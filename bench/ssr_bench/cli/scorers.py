"""`ssr bench scorers`: scorers compared on recorded steps."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import refusing, run
from ssr.core.acceptance import ScorerName
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr.core.types import Mode, choices, chosen
from ssr_bench.cli.evaluation_input import names
from ssr_bench.cli.report import DirsArgument
from ssr_bench.cli.reporting import JsonOption, show, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssr.engines.settings import EngineSettings
    from ssr.verifier.scoring import JudgedStep
    from ssr_bench.evaluation.rescoring import PastPath, ScoreKey, Scores, StepScore
    from ssr_bench.evaluation.scorer_comparison import ScorerComparison

#: Tables need it; a narrower terminal wraps their lines.
_WIDTH = 180
_MAX_CONCURRENCY = 256
#: Agreement asks a path's siblings, and reward a server of its own: neither is the target engine that is given here.
_COMPARABLE = tuple(name for name in ScorerName if not {ScorerName.AGREEMENT, ScorerName.REWARD} & set(name.parts))


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("scorers")(scorers)


def scorers(
    dirs: DirsArgument,
    engine: Annotated[str, typer.Option(metavar="URL,...", help="The target engine, or replicas of it.")],
    scorers: Annotated[
        str, typer.Option(metavar="S,S,...", help=f"Of {', '.join(_COMPARABLE)}.")
    ] = "expected,greedy,judge,arithmetic+judge",
    kind: Annotated[str, typer.Option(metavar="KIND", help="Its API: tgi (also ssr's own engines) or openai.")] = "tgi",
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Default: the one that it serves.")] = None,
    parameters: Annotated[int | None, typer.Option(metavar="N", help="The model's size. Default: its own.")] = None,
    chat_template: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Render with this template instead of asking the engine.")
    ] = None,
    engine_key_file: Annotated[
        Path | None, typer.Option("--engine-key-file", metavar="FILE", help="Has the engine's API key.")
    ] = None,
    modes: Annotated[str, typer.Option(metavar="M,M,...", help="Of the recorded runs.")] = "draft,ssd,ssr",
    all_steps: Annotated[bool, typer.Option("--all-steps", help="Judge also the steps that the target wrote.")] = False,
    strategy_sets: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where strategy sets of your own are, as for the selector.")
    ] = None,
    concurrency: Annotated[int, typer.Option(metavar="N", help="Paths at a time; 1 measures the seconds best.")] = 1,
    timeout: Annotated[float, typer.Option(metavar="S", help="Of a call of the engine.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Judge recorded steps again, and show which scorer does it best.

    Takes the drafted steps that `ssr bench accuracy` recorded in DIR and has
    them judged by each scorer, with their problem and strategy, as a run would.
    Then shows how well a path's scores predict a right answer, what they cost,
    and how alike the scorers are. What was judged is kept in DIR/rescored.jsonl:
    after Ctrl-C the same command goes on.

    Runs of mode draft are the best to compare on: of ssd and ssr, drafts that
    were written again are not recorded. Scorer likelihood needs an engine that
    gives log probabilities of its prompt: vLLM, SGLang, or TGI with
    --enable-prefill-logprobs.

    Example:

      ssr bench scorers runs/gsm8k --engine http://127.0.0.1:8001 \\
          --scorers judge,arithmetic+judge
    """
    with refusing():
        chosen = tuple(dict.fromkeys(ScorerName.named(name, "scorers") for name in names(scorers)))
        if not set(chosen) <= set(_COMPARABLE):
            raise InvalidRequest("scorers", "agreement and reward cannot be compared here: they ask no target engine")
        if not chosen:
            raise InvalidRequest("scorers", f"are none; name some of {', '.join(_COMPARABLE)}")
        asked = _Asked(
            dirs=tuple(dirs),
            engine=engine_settings(engine, kind, model, parameters, chat_template, engine_key_file, timeout),
            scorers=chosen,
            modes=tuple(_mode(name) for name in names(modes)),
            all_steps=all_steps,
            strategy_sets=strategy_sets,
            concurrency=concurrency,
        )
        check_within("concurrency", concurrency, 1, _MAX_CONCURRENCY)
    run(_scorers(asked, as_json), interrupted="interrupted: what was judged is kept; the same command goes on")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `scorers` was asked for."""

    dirs: tuple[Path, ...]
    engine: EngineSettings
    scorers: tuple[ScorerName, ...]
    modes: tuple[Mode, ...]
    all_steps: bool
    strategy_sets: Path | None
    concurrency: int


async def _scorers(asked: _Asked, as_json: bool) -> ExitStatus:
    from ssr.engines.connect import open_engine
    from ssr.verifier.scoring import JudgedStep
    from ssr_bench.evaluation.rescoring import opened_scores
    from ssr_bench.evaluation.scorer_comparison import DEFINITIONS, compare, grids

    paths = {folder: await asyncio.to_thread(_paths, folder, asked) for folder in asked.dirs}
    if not any(paths.values()):
        raise InvalidRequest("dir", f"no step of modes {', '.join(asked.modes)} is recorded there")
    async with open_engine(asked.engine) as engine:
        name = (await engine.info()).model
        known: dict[ScoreKey, StepScore] = {}
        with ExitStack() as stack:
            for folder in asked.dirs:
                scores = stack.enter_context(opened_scores(folder))
                await _rescored(asked, JudgedStep(engine), name, paths[folder], scores)
                known |= scores.known
    every = [path for found in paths.values() for path in found]
    comparison = await asyncio.to_thread(compare, name, asked.scorers, every, known)
    tables = Group(stacked(grid.rich() for grid in grids(comparison)), Text("\n".join(DEFINITIONS), "dim"))
    show({"definitions": DEFINITIONS, "comparison": _plain(comparison)}, tables, as_json, _WIDTH)
    return ExitStatus.DONE


def _paths(folder: Path, asked: _Asked) -> list[PastPath]:
    from ssr.selector.strategy_sets import load_strategy_sets
    from ssr_bench.evaluation.rescoring import past_paths
    from ssr_bench.evaluation.run_directory import read

    return past_paths(
        read(folder).records, asked.modes, load_strategy_sets(asked.strategy_sets), all_steps=asked.all_steps
    )


async def _rescored(asked: _Asked, target: JudgedStep, model: str, paths: Sequence[PastPath], scores: Scores) -> None:
    from ssr_bench.evaluation.rescoring import Rescoring

    notes = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=notes,
        disable=not notes.is_terminal,
    ) as bar:
        task = bar.add_task("judging")
        rescoring = Rescoring(asked.scorers, target, model, log=lambda _: bar.advance(task))
        bar.update(task, total=rescoring.missing(paths, scores))
        await rescoring.run(paths, scores, asked.concurrency)


def _plain(comparison: ScorerComparison) -> dict[str, Any]:
    """As `report_json` takes it: pairs of scorers are no keys of JSON."""
    likeness: dict[str, dict[str, float | None]] = {}
    for (one, other), value in comparison.likeness.items():
        likeness.setdefault(one, {})[other] = value
    return {
        "model": comparison.model,
        "paths": comparison.paths,
        "right": comparison.right,
        "steps": comparison.steps,
        "scorers": comparison.results,
        "likeness": likeness,
    }


def engine_settings(
    urls: str,
    kind: str,
    model: str | None,
    parameters: int | None,
    chat_template: Path | None,
    key_file: Path | None,
    timeout_s: float,
) -> EngineSettings:
    """The settings of an engine, from options. Raises: InvalidRequest naming the option."""
    from ssr.engines.settings import EngineSettings

    try:
        key = key_file.read_text().strip() if key_file else None
    except OSError as error:
        raise InvalidRequest("engine-key-file", f"{key_file} cannot be read: {error.strerror}") from error
    given = {
        "urls": urls,
        "kind": kind,
        "model": model,
        "parameters": parameters,
        "chat_template": chat_template,
        "api_key": key,
        "timeout_s": timeout_s,
    }
    try:
        return EngineSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise InvalidRequest(
            {"urls": "engine", "timeout_s": "timeout"}.get(field, field.replace("_", "-")), first["msg"]
        ) from error


def _mode(name: str) -> Mode:
    try:
        return chosen(Mode, name)
    except ValueError:
        raise InvalidRequest("modes", f"{name!r} is unknown; known are {', '.join(choices(Mode))}") from None
