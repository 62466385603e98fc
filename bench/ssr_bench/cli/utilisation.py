"""`ssr bench utilisation`: how much of the engines' own speed is left through SSR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest
from ssr_bench.cli.evaluation_input import names, numbers
from ssr_bench.cli.reporting import JsonOption, reported, show

#: The table needs it; a narrower terminal wraps its lines.
_WIDTH = 150
_KINDS = ("tgi", "openai", "vllm", "sglang", "llamacpp")


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("utilisation")(utilisation)


def utilisation(
    engine: Annotated[str, typer.Option(metavar="URL", help="The target engine. Default: simulated engines.")] = "",
    draft_engine: Annotated[str, typer.Option(metavar="URL", help="Without it, nothing is drafted.")] = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help=f"The engines' API: {', '.join(_KINDS)}.")] = "openai",
    concurrency: Annotated[str, typer.Option(metavar="N,N,...", help="Paths at a time.")] = "1,16,64,256",
    modes: Annotated[
        str, typer.Option(metavar="M,M,...", help="Of baseline, parallel, ssd-accepted, ssr.")
    ] = "baseline,parallel,ssd-accepted,ssr",
    dataset: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Problems as .jsonl. Default: sums of --steps steps.")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="Of a sum, about.")] = 8,
    rounds: Annotated[int, typer.Option(metavar="N", help="So many times the paths at a time are solved.")] = 2,
    least: Annotated[int, typer.Option(metavar="N", help="Jobs of each mode, at least.")] = 4,
    services: Annotated[int, typer.Option(metavar="N", help="Drafters, verifiers, orchestrators, each.")] = 1,
    max_path_tokens: Annotated[int, typer.Option(metavar="N", help="Of a path, at most.")] = 1024,
    as_json: JsonOption = False,
) -> None:
    """How much of the engines' own speed is left through SSR.

    Brings up the services, and has them solve in each mode, so many paths at a
    time. Right behind each mode the server is asked for the same prompts and as
    many tokens directly, as many at a time. Needs a server with OpenAI's API or
    TGI's; without one, simulated engines at the pace of their timing models.

    Exit status: 1 when baseline or parallel stay below 0.9 of the target's raw
    tokens/s, or drafts that are all accepted below 0.9 of the draft's.

    Examples:

      ssr bench utilisation
      ssr bench utilisation --engine http://gpu:8000 --draft-engine http://gpu:8001
      ssr bench utilisation --concurrency 256 --services 4 --dataset gsm8k.jsonl ...
    """
    run(
        _utilisation(
            engine,
            draft_engine,
            kind,
            concurrency,
            modes,
            dataset,
            steps,
            rounds,
            least,
            services,
            max_path_tokens,
            as_json,
        )
    )


async def _utilisation(
    engine: str,
    draft_engine: str,
    kind: str,
    concurrency: str,
    modes: str,
    dataset: Path | None,
    steps: int,
    rounds: int,
    least: int,
    services: int,
    max_path_tokens: int,
    as_json: bool,
) -> ExitStatus:
    from ssr_bench.evaluation.dataset import read_problems
    from ssr_bench.utilisation.measure import measure_utilisation
    from ssr_bench.utilisation.plan import EngineKind, UtilisationPlan
    from ssr_bench.utilisation.table import utilisation_table

    if kind not in _KINDS:
        raise InvalidRequest("kind", f"{kind!r} is none of {', '.join(_KINDS)}")
    plan = UtilisationPlan(
        concurrency=numbers("concurrency", concurrency, int),
        engine=engine.rstrip("/"),
        draft_engine=draft_engine.rstrip("/"),
        kind=cast("EngineKind", kind),
        problems=tuple(problem.prompt for problem in read_problems(dataset)) if dataset else (),
        steps=steps,
        rounds=rounds,
        least=least,
        services=services,
        max_path_tokens=max_path_tokens,
        subjects=names(modes),
    )
    report = await reported(lambda report_progress: measure_utilisation(plan, report_progress))
    show(report, utilisation_table(report), as_json, _WIDTH)
    missed = any(one.reached is False for one in report.comparisons)
    return ExitStatus.FAILURE if missed else ExitStatus.DONE
