"""`ssr bench replay`: recorded pools of samples under any rule, without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import refusing, run
from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_within
from ssr_bench.cli.reporting import JsonOption, show, stacked

if TYPE_CHECKING:
    from ssr.core.evidence.prior import Prior
    from ssr_bench.replay.method import ReplayMethod
    from ssr_bench.replay.pool import PooledProblem
    from ssr_bench.replay.summary import GroupSummary, Prices

_WIDTH = 180
_METHODS = (
    "fixed",
    "target-alone",
    "drafts-alone",
    "adaptive-consistency",
    "esc",
    "deepconf",
    "target-evidence",
    "cascade",
    "oracle",
)


def add_to(app: typer.Typer) -> None:
    """Add the command to `ssr bench`."""
    app.command("replay")(replay)


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Has draft.jsonl.gz and target.jsonl.gz.")],
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:KEY=VALUE,...]", help="A method; again for more. The first is the reference."),
    ] = None,
    draft_cost: Annotated[
        float, typer.Option("--draft-cost", metavar="R", help="Price of a draft token in target tokens.")
    ] = 0.047,
    draft_parameters: Annotated[float, typer.Option(metavar="N", help="The draft's size, for FLOPs.")] = 0.0,
    target_parameters: Annotated[float, typer.Option(metavar="N", help="The target's size, for FLOPs.")] = 0.0,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Priors, from `ssr bench calibrate`. Default: the built-in.")
    ] = None,
    domain: Annotated[str, typer.Option(metavar="NAME", help="Which of the calibration's domains.")] = "mathematics",
    cross_validate: Annotated[
        int, typer.Option("--cross-validate", metavar="K", help="Fit the prior on the other of K folds of problems.")
    ] = 0,
    sets: Annotated[str, typer.Option("--sets", metavar="S,S,...", help="Of the pool's sets. Default: all.")] = "",
    orders: Annotated[int, typer.Option(metavar="N", help="Random orders of each problem's samples.")] = 8,
    seed: Annotated[int, typer.Option(metavar="N", help="Of these orders.")] = 0,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the break-even figure there.")] = None,
    graded: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the graded samples there, without texts (graded.jsonl.gz)."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Bounds of repair: what drafts share where they leave doubt.")
    ] = False,
    shared: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --repair: write what drafts share there (shared.jsonl.gz)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay recorded samples under any rule: no engine, the same samples for all.

    DIR holds samples of a draft and a target model on the same problems, in
    the form that ssr_bench/replay/pool.py describes. Answers are graded by
    equivalence.

    \b
    Methods are presets of one rule:
      fixed                 a vote of the target's paths (targets=4)
      target-alone          one path of the target
      drafts-alone          a vote of drafts
      adaptive-consistency  the target's paths until the Beta rule suffices
      esc                   windows of the target's paths until one agrees
      deepconf              until the leader has its share of confidence
      target-evidence       the target's paths until the posterior suffices
      cascade               drafts first, then the target's paths
      oracle                cascade, stopped by who knows the right answer

    Settings: estimate (posterior, beta, unanimous, share), confidence,
    min_gain, first, batch, drafts, targets.

    Examples:

      ssr bench replay traces --cross-validate 5
      ssr bench replay traces --method fixed --method cascade:min_gain=0.03
      ssr bench replay traces --repair --cross-validate 5
    """
    from ssr_bench.replay.method import read_method
    from ssr_bench.replay.summary import Prices

    with refusing():
        methods = [read_method(text) for text in method or _METHODS]
        check_within("orders", orders, 1, 10_000)
        if cross_validate != 0:
            check_within("cross-validate", cross_validate, 2, 100)
        check_within("draft-cost", draft_cost, 0, 10)
        prices = Prices(draft_cost, draft_parameters, target_parameters)
        prior = _prior(calibration, domain)
        chosen = tuple(part.strip() for part in sets.split(",") if part.strip())
        if shared is not None and not repair:
            raise InvalidRequest("shared", "is written with --repair alone")
    asked = _Asked(folder, methods, prices, prior, cross_validate, chosen, orders, seed, figure, as_json, graded)
    run(_repair(asked, shared) if repair else _replay(asked))


class _Asked:
    """What `replay` was asked for."""

    def __init__(
        self,
        folder: Path,
        methods: Sequence[ReplayMethod],
        prices: Prices,
        prior: Prior | None,
        folds: int,
        sets: Sequence[str],
        orders: int,
        seed: int,
        figure: Path | None,
        as_json: bool,
        graded: Path | None,
    ) -> None:
        self.folder, self.methods, self.prices, self.prior, self.folds = folder, methods, prices, prior, folds
        self.sets, self.orders, self.seed, self.figure, self.as_json = sets, orders, seed, figure, as_json
        self.graded = graded


async def _replay(asked: _Asked) -> ExitStatus:
    from ssr_bench.replay.report import break_even_figure, definitions, grid_of

    problems = await _pool(asked)
    summaries = await asyncio.to_thread(_summaries, asked, problems)
    if asked.figure is not None:
        png = await asyncio.to_thread(break_even_figure, summaries, asked.prices)
        await asyncio.to_thread(asked.figure.write_bytes, png)
    tables = stacked(grid_of(summary).rich() for summary in summaries)
    notes = Text("\n".join(definitions(asked.prices, asked.orders)), "dim")
    show(summaries, Group(tables, notes), asked.as_json, _WIDTH)
    return ExitStatus.DONE


async def _repair(asked: _Asked, file: Path | None) -> ExitStatus:
    from ssr_bench.replay.method import read_method
    from ssr_bench.replay.pool import groups_of, pool_texts
    from ssr_bench.replay.repairing import SHARED, all_starts, read_starts, repair_bounds, write_starts
    from ssr_bench.replay.report import REPAIR_DEFINITIONS, repair_grid
    from ssr_bench.replay.summary import priors_of

    problems, method = await _pool(asked), read_method("cascade")
    if (asked.folder / SHARED).exists():
        starts = await asyncio.to_thread(read_starts, asked.folder / SHARED)
    else:
        texts = await asyncio.to_thread(pool_texts, asked.folder)
        starts = await asyncio.to_thread(all_starts, problems, texts, method.drafts)
    if file is not None:
        await asyncio.to_thread(write_starts, starts, file)
    known = [one for one in problems if (one.group, one.id) in starts]
    if not known:
        raise InvalidRequest("dir", f"{asked.folder} has neither the samples' texts nor {SHARED}")
    prior_of = priors_of(known, asked.prior, asked.folds)
    bounds = [repair_bounds(name, some, starts, method, prior_of) for name, some in groups_of(known).items()]
    notes = Text("\n".join(REPAIR_DEFINITIONS), "dim")
    show(bounds, Group(stacked([repair_grid(bounds).rich()]), notes), asked.as_json, _WIDTH)
    return ExitStatus.DONE


async def _pool(asked: _Asked) -> Sequence[PooledProblem]:
    from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
    from ssr_bench.replay.graded import GRADED, read_graded, write_graded
    from ssr_bench.replay.pool import groups_of, read_pool

    if (asked.folder / GRADED).exists():
        problems = await asyncio.to_thread(read_graded, asked.folder / GRADED)
    else:
        async with MathVerifyEquivalence() as equivalence:
            problems = await read_pool(asked.folder, equivalence)
    if asked.graded is not None:
        await asyncio.to_thread(write_graded, problems, asked.graded)
    groups = groups_of(problems)
    for name in asked.sets:
        if name not in groups:
            raise InvalidRequest("sets", f"{name!r} is not in {asked.folder}; it has {', '.join(groups)}")
    return [one for one in problems if not asked.sets or one.group in asked.sets]


def _summaries(asked: _Asked, problems: Sequence[PooledProblem]) -> list[GroupSummary]:
    from ssr_bench.replay.pool import groups_of
    from ssr_bench.replay.summary import priors_of, replay_all, summarise

    prior_of = priors_of(problems, asked.prior, asked.folds)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn())
    summaries = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(problems))
        for group, members in groups_of(problems).items():
            try:
                replays = replay_all(
                    members, asked.methods, prior_of, asked.orders, asked.seed, lambda: progress.advance(task)
                )
            except ValueError as error:
                raise InvalidRequest("method", str(error)) from error
            summaries.append(summarise(group, members, replays, asked.methods, asked.prices))
    return summaries


def _prior(file: Path | None, domain: str) -> Prior | None:
    """Raises: InvalidRequest."""
    from ssr.runtime.calibration_file import load_calibration

    return None if file is None else load_calibration(file).entry(domain=domain).prior
