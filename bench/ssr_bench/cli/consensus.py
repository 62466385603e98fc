"""`ssr bench consensus`: drafters compared, on recorded samples and in servers."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group

from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest
from ssr_bench.cli.consensus_end_to_end import EndToEndAsked, end_to_end
from ssr_bench.cli.reporting import JsonOption, show

#: The modes, which are the panels of their options in --help.
_REPLAY, _LATENCY, _END_TO_END = "Replay", "Latency of a draft", "End to end"
#: What matters only for servers that are started here.
_OF_SERVE = ("methods", "speculation", "max_draft", "start_timeout")


def _option(panel: str, metavar: str | None, description: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=description, rich_help_panel=panel)


_replay, _latency, _served = (partial(_option, panel) for panel in (_REPLAY, _LATENCY, _END_TO_END))


def add_to(bench_app: typer.Typer) -> None:
    """Add the command."""
    bench_app.command("consensus")(consensus)


def consensus(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Recorded samples, JSON lines.", show_default=False)
    ] = None,
    max_draft: Annotated[int, typer.Option(metavar="N", help="Draft tokens of a pass at most, for all.")] = 8,
    as_json: JsonOption = False,
    stagger: Annotated[str, _replay("N,N,...", "Tokens between the starts of siblings; 0: none.")] = "16",
    bound: Annotated[float, _replay("P", "Of ours: the least confidence of a draft token.")] = 0.1,
    edits: Annotated[int, _replay("N", "Of ours: edit distance of a match, 0..2.")] = 0,
    alpha: Annotated[float, _replay("A", "Of ours: the part of recorded probabilities.")] = 0.0,
    sweep: Annotated[bool, _replay(None, "Change our settings one by one instead.", "--sweep")] = False,
    latency: Annotated[
        bool, _latency(None, "What a draft costs by number of samples and length; needs no file.", "--latency")
    ] = False,
    samples: Annotated[str, _latency("N,N,...", "Of a group.")] = "2,4,8,16,32,64",
    tokens: Annotated[str, _latency("N,N,...", "Of a sample.")] = "500,2000",
    serve: Annotated[str, _served("COMMAND", "Serves a vLLM at port {port}; takes more flags at its end.")] = "",
    server: Annotated[list[str] | None, _served("METHOD=URL", "Or: one that runs already; repeatable.")] = None,
    methods: Annotated[str, _served("M,M,...", "Of none, ngram, suffix, consensus. Default: all.")] = "",
    speculation: Annotated[list[str] | None, _served("NAME=JSON", "One more method, as vLLM is reported it.")] = None,
    dataset: Annotated[str, _served("NAME|FILE", "As of ssr bench accuracy.")] = "",
    offset: Annotated[int, _served("K", "Leave out the first K problems.")] = 0,
    limit: Annotated[int | None, _served("N", "So many problems. Default: all.")] = None,
    samples_per_problem: Annotated[int, _served("N", "Asked for together.")] = 8,
    problems_at_a_time: Annotated[int, _served("N", "The next begins when one has ended.")] = 2,
    stagger_s: Annotated[float, _served("S", "Seconds between the starts of siblings.")] = 0.0,
    temperature: Annotated[float, _served("T", "Of the sampling.")] = 0.7,
    top_p: Annotated[float, _served("P", "Of the sampling.")] = 0.95,
    max_tokens: Annotated[int, _served("N", "Of a sample.")] = 512,
    seed: Annotated[int | None, _served("S", "Of the sampling. Default: none is given.")] = None,
    logprobs: Annotated[
        bool, _served(None, "Record the tokens' log-probabilities too, for --alpha.", "--logprobs")
    ] = False,
    replay: Annotated[
        Path | None,
        _served("FILE", "Have the servers write these recordings, whatever their weights (--load-format dummy)."),
    ] = None,
    start_timeout: Annotated[float, _served("S", "For a server to serve.")] = 600.0,
    request_timeout: Annotated[float, _served("S", "For a sample.")] = 3600.0,
    out: Annotated[Path | None, _served("DIR", "Where figures, samples and logs go, or are gone on with.")] = None,
) -> None:
    """How many tokens a forward pass yields when parallel samples draft for each other.

    Replays recorded samples through drafters: each draft is accepted as far as it
    equals the recording, so the output is always the recording. A line of a file is
    an object with "problem", "sample", and "tokens" (ids) or "text"; "prompt" and
    "logprobs" are used where they are there. Texts are cut by a simple splitter:
    their figures compare drafters, and say less of a model's own tokens.
    Intervals are bootstraps over problems. Of settings that are compared, the
    best is chosen on the first half of the problems and shown on the second.

    \b
    Side by side:
      none       a pass for every token
      ngram      vLLM's: the own context, what followed the longest match
      scan       the longest match in siblings, looked for in all they wrote
      suffix     SuffixDecoding: ours after arXiv 2411.04975, and arctic-inference where it is installed
      consensus  ours

    End to end, with --serve or --server, vLLM samples the same problems with no
    speculation, ngram, suffix (it needs arctic-inference) and ours, and its own
    counters show. COMMAND is run without a shell, for one method after the other,
    with --speculative-config added and our proposer on PYTHONPATH; ours takes
    SSR_CONSENSUS_* from the environment. A server's API key is VLLM_API_KEY's.
    DIR/samples-METHOD.jsonl are recordings.
    With --replay they write FILE's samples of these problems, token by token: a model
    with dummy weights has the times of one with weights, and the same answers.
    After Ctrl-C, or a crash, the same command goes on with the methods that are
    left; DIR takes no other plan.

    Examples:

      ssr bench consensus recorded.jsonl
      ssr bench consensus gsm8k.jsonl math.jsonl --stagger 16,64 --json
      ssr bench consensus recorded.jsonl --sweep
      ssr bench consensus --latency
      ssr bench consensus --serve "vllm serve Qwen/Qwen2.5-7B-Instruct --port {port}" \\
          --dataset gsm8k --limit 50 --out runs/drafting
      ssr bench consensus runs/drafting/samples-none.jsonl
    """
    from ssr.consensus import ConsensusSettings
    from ssr_bench.cli.evaluation_input import numbers
    from ssr_bench.consensus.comparison import ComparisonPlan

    async def main() -> ExitStatus:
        mode = _END_TO_END if serve or server else _LATENCY if latency else _REPLAY
        _refuse_others(ctx, mode)
        if mode is _END_TO_END:
            return await end_to_end(asked, as_json)
        settings = ConsensusSettings(min_confidence=bound, edits=edits, alpha=alpha, max_draft=min(max_draft, 64))
        if mode is _LATENCY:
            await asyncio.to_thread(
                _measure_latency, numbers("samples", samples, int), numbers("tokens", tokens, int), as_json
            )
            return ExitStatus.DONE
        if not files:
            raise InvalidRequest("FILE", "give files of recorded samples, or --latency, --serve or --server")
        if sweep and _is_given(ctx, "stagger"):
            raise InvalidRequest("stagger", "has no effect with --sweep: its siblings run together")
        plan = ComparisonPlan(numbers("stagger", stagger, int), max_draft, settings, sweep)
        await asyncio.to_thread(_compare, files, plan, as_json)
        return ExitStatus.DONE

    asked = EndToEndAsked(
        serve=serve,
        servers=tuple(server or ()),
        methods=methods,
        speculation=tuple(speculation or ()),
        max_draft=max_draft,
        dataset=dataset,
        offset=offset,
        limit=limit,
        samples=samples_per_problem,
        at_a_time=problems_at_a_time,
        stagger_s=stagger_s,
        logprobs=logprobs,
        replay=replay,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        start_timeout_s=start_timeout,
        request_timeout_s=request_timeout,
        out=out,
    )
    goes_on = f"; methods that ended are recorded in {out}, and the same command goes on" if out else ""
    run(main(), interrupted=f"interrupted{goes_on}")


def _refuse_others(ctx: typer.Context, mode: str) -> None:
    """Raises: InvalidRequest naming what was given, and says nothing in this mode."""
    for one in ctx.command.params:
        if one.name is None or not _is_given(ctx, one.name):
            continue
        option = one.name.replace("_", "-")
        panel = getattr(one, "rich_help_panel", None)
        if panel not in (None, mode) or (one.name == "files" and mode is not _REPLAY):
            raise InvalidRequest(option, f"does not go with this mode ({mode.lower()})")
        if one.name in _OF_SERVE and mode is _END_TO_END and not ctx.params["serve"]:
            raise InvalidRequest(option, "goes with --serve: how a server drafts is fixed when it starts")


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _compare(files: list[Path], plan: Any, as_json: bool) -> None:
    from ssr_bench.consensus.comparison import compare
    from ssr_bench.consensus.recordings import read_recordings
    from ssr_bench.consensus.splitting import chosen
    from ssr_bench.consensus.tables import choice_table, comparison_table

    read = {path: read_recordings(path) for path in files}
    rows = {str(path): list(compare(problems, plan)) for path, problems in read.items()}
    choices = {path: chosen(found, "as set" if plan.sweep else "") for path, found in rows.items()}
    tables = [(comparison_table(Path(path).name, rows[path]), choice_table(choices[path])) for path in rows]
    report = {"plan": plan, "files": rows, "held_out": choices}
    show(report, Group(*(table for pair in tables for table in pair)), as_json)


def _measure_latency(samples: tuple[int, ...], tokens: tuple[int, ...], as_json: bool) -> None:
    from ssr_bench.consensus.latency import LatencyPlan, measure_latency
    from ssr_bench.consensus.tables import latency_table

    rows = list(measure_latency(LatencyPlan(samples, tokens)))
    show(rows, latency_table(rows), as_json)
