"""`ssr bench consensus`: drafters compared on recorded samples."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ssr.commands.exit_status import ExitStatus
from ssr.commands.running import run
from ssr.core.errors import InvalidRequest


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("consensus")(consensus)


def consensus(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Recorded samples, JSON lines.", show_default=False)
    ] = None,
    stagger: Annotated[str, typer.Option(metavar="N,N,...", help="Tokens between the starts of siblings.")] = "16",
    max_draft: Annotated[int, typer.Option(metavar="N", help="Draft tokens of a pass at most, for all.")] = 8,
    bound: Annotated[float, typer.Option(metavar="P", help="Of ours: the least confidence of a draft token.")] = 0.1,
    edits: Annotated[int, typer.Option(metavar="N", help="Of ours: edit distance of a match, 0..2.")] = 0,
    alpha: Annotated[float, typer.Option(metavar="A", help="Of ours: the part of recorded probabilities.")] = 0.0,
    sweep: Annotated[bool, typer.Option("--sweep", help="Change our settings one by one instead.")] = False,
    latency: Annotated[
        bool, typer.Option("--latency", help="What a draft costs by number of samples and length; needs no file.")
    ] = False,
    samples: Annotated[str, typer.Option(metavar="N,N,...", help="With --latency.")] = "2,4,8,16,32,64",
    tokens: Annotated[str, typer.Option(metavar="N,N,...", help="With --latency: of each sample.")] = "500,2000",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """How many tokens a forward pass yields when parallel samples draft for each other.

    Replays recorded samples through drafters: each draft is accepted as far as it
    equals the recording, so the output is always the recording. A line of a file is
    an object with "problem", "sample", and "tokens" (ids) or "text"; "prompt" and
    "logprobs" are used where they are there. Texts are cut by a simple splitter:
    their figures compare drafters, and say less of a model's own tokens.

    \b
    Side by side:
      none       a pass for every token
      ngram      vLLM's: the own context, what followed the longest match
      scan       the longest match in siblings, looked for in all they wrote
      suffix     SuffixDecoding: ours after arXiv 2411.04975, and arctic-inference where it is installed
      consensus  ours

    Examples:

      ssr bench consensus recorded.jsonl
      ssr bench consensus gsm8k.jsonl math.jsonl --stagger 16,64 --json
      ssr bench consensus recorded.jsonl --sweep
      ssr bench consensus --latency
    """
    from ssr.bench.consensus.comparison import ComparisonPlan
    from ssr.commands.bench import numbers
    from ssr.consensus import ConsensusSettings

    async def main() -> ExitStatus:
        settings = ConsensusSettings(min_confidence=bound, edits=edits, alpha=alpha, max_draft=min(max_draft, 64))
        if latency:
            await asyncio.to_thread(_latency, numbers("samples", samples), numbers("tokens", tokens), as_json)
            return ExitStatus.DONE
        if not files:
            raise InvalidRequest("FILE", "give files of recorded samples, or --latency")
        plan = ComparisonPlan(numbers("stagger", stagger), max_draft, settings, sweep)
        await asyncio.to_thread(_compare, files, plan, as_json)
        return ExitStatus.DONE

    run(main())


def _compare(files: list[Path], plan: Any, as_json: bool) -> None:
    from ssr.bench.consensus.comparison import compare
    from ssr.bench.consensus.recordings import read_recordings
    from ssr.bench.consensus.tables import comparison_table
    from ssr.bench.report_json import report_json

    read = {path: read_recordings(path) for path in files}
    rows = {}
    for path, problems in read.items():
        rows[str(path)] = list(compare(problems, plan))
        if not as_json:
            Console().print(comparison_table(path.name, rows[str(path)]))
    if as_json:
        typer.echo(json.dumps(report_json({"plan": plan, "files": rows}), indent=2))


def _latency(samples: tuple[int, ...], tokens: tuple[int, ...], as_json: bool) -> None:
    from ssr.bench.consensus.latency import LatencyPlan, measure_latency
    from ssr.bench.consensus.tables import latency_table
    from ssr.bench.report_json import report_json

    rows = list(measure_latency(LatencyPlan(samples, tokens)))
    if as_json:
        typer.echo(json.dumps(report_json(rows), indent=2))
    else:
        Console().print(latency_table(rows))
