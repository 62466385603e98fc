"""`ssr solve`: one problem, shown while it is solved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssr.cli.access import AccessFlags, with_access
from ssr.cli.destination import SERVER_VARIABLE, asked_presets, destination_of, wanted_server
from ssr.cli.problem_source import read_problem, tests_in
from ssr.cli.question import AskedQuestion, asked_priority, check_timeout, checked_options, solved
from ssr.cli.running import refusing, run
from ssr.core.job import Priority


@with_access()
def solve(
    ctx: typer.Context,
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help="The problem's text; - reads standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(metavar="F", help="Read the problem from this file.")] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", envvar=SERVER_VARIABLE, help="Ask this server, not a stack of our own."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="The stack to bring up: local (default), smoke or simulated; or options by name: paper, the authors' "
            "settings. One of each may be given, and options beside it win over it.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="baseline, parallel, parallel-spm, ssd, parallel-ssd, ssr (default), cascade, draft."
        ),
    ] = None,
    paths: Annotated[
        int | None,
        typer.Option(metavar="N", help="Paths, 1..16. Default: the server's (3 on preset local, 2 on smoke, else 5)."),
    ] = None,
    stop_rule: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="Stop when all paths ended (full, the default), at one answer (fast-1), two equal ones (fast-2), or "
            "when the votes make one sure enough (evidence, the default of mode cascade).",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="T", help="Accept drafts that score at least this, 0..9. Default: 7.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="S", help="Of all sampling. Default: a random one.")] = None,
    strategy_set: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="competition (default), subjects, school, worked, plain or one of the server's."
        ),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="expected, greedy, validity, judge, likelihood, arithmetic, reward, agreement, none, or as "
            "arithmetic+judge. "
            "Default: the verifier's.",
        ),
    ] = None,
    max_step_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Longest step, in tokens. Default: the server's (512).")
    ] = None,
    max_path_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Longest path, in tokens. Default: the server's (8192).")
    ] = None,
    max_thinking_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Thinking models: think at most so many tokens a path, then answer; 0: no thinking. "
            "Default: most of the longest path.",
        ),
    ] = None,
    early_stop: Annotated[
        bool | None,
        typer.Option(help="Stop once no path can change the vote. Default: yes, unless there is a seed."),
    ] = None,
    deadline_s: Annotated[
        float | None,
        typer.Option("--deadline", metavar="S", help="End with the best answer so far after so many seconds."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", help="End with the best answer so far once the models have generated so many."),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="End with the best answer so far once so many steps are committed. Default: the server's (4096).",
        ),
    ] = None,
    lookahead: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Draft so many steps ahead of the one being scored, at most; 0..4. "
            "Default: the server's (as many as are worth it).",
        ),
    ] = None,
    max_waste: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of the drafted tokens, the share that may be thrown away for drafting ahead, 0..1. "
            "Default: the server's (0.2).",
        ),
    ] = None,
    reserve: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Of the paths, let the target write the last N, if the others leave the vote open. "
            "Default: the server's (0).",
        ),
    ] = None,
    draft_paths: Annotated[
        int | None,
        typer.Option(metavar="N", help="Mode cascade: so many of the paths, the first ones, are drafts. Default: 3."),
    ] = None,
    repair_paths: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Mode cascade: so many of the target's paths go on from the steps that the drafts share. Default: 0.",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(metavar="P", help="Rule evidence: how sure the answer must be, up to 1. Default: 0.9."),
    ] = None,
    min_gain: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Rule evidence: how much a further path must be expected to raise the chance of a right answer. "
            "Default: 0.04.",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(metavar="N", help="Rule evidence: paths that begin together. Default: 1.")
    ] = None,
    estimate: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Rule evidence: posterior (default), beta, unanimous or share."),
    ] = None,
    vote: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="majority, plurality, evidence, or weighted- or best- before mean, min, last or product of step "
            "scores. Default: evidence with rule evidence, else majority.",
        ),
    ] = None,
    selection: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="How strategies are picked: ranking (one pass, the default), or codes (letters, which may repeat).",
        ),
    ] = None,
    repeat_rule: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="End a path at a step that says again what any earlier one said (earlier, the default), or at two "
            "consecutive equal ones (consecutive).",
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What kind of problem it is: mathematics (default), choice, short-text, quantities, code, or an "
            "installed one.",
        ),
    ] = None,
    tests: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Domain code: Python tests of the program, parted by blank lines."),
    ] = None,
    priority: Annotated[
        str, typer.Option(metavar="NAME", help="interactive (goes first) or batch (when there is room).")
    ] = Priority.INTERACTIVE.value,
    *,
    flags: AccessFlags,
    timeout: Annotated[float, typer.Option(metavar="S", help="Cancel the job after so many seconds.")] = 3600,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")
    ] = False,
) -> None:
    """Solve a problem, and watch how.

    Asks --server (or SSR_SERVER). Without one, a whole stack is brought up on
    this machine for the call; modes baseline and ssd have one path.

    Exit status: 0 answered (partial too), 3 no answer, 2 bad input,
    1 failure, 130 interrupted (the job is cancelled).

    Examples:

      ssr solve "A pen costs 3 dollars. What do 12 pens cost?"
      ssr solve --preset simulated --stop-rule fast-2 "What is 17 * 6 + 4?"
      ssr solve --preset paper --paths 3 "What is the remainder of 7^20 by 13?"
      ssr solve --server 127.0.0.1:7600 --file problem.txt --json
      echo "What is 15 % of 80?" | ssr solve -
    """
    given = {
        "mode": mode,
        "paths": paths,
        "stop_rule": stop_rule,
        "threshold": threshold,
        "seed": seed,
        "strategy_set": strategy_set,
        "scorer": scorer,
        "max_step_tokens": max_step_tokens,
        "max_path_tokens": max_path_tokens,
        "max_thinking_tokens": max_thinking_tokens,
        "early_stop": early_stop,
        "deadline_s": deadline_s,
        "max_tokens": max_tokens,
        "max_steps": max_steps,
        "lookahead": lookahead,
        "max_waste": max_waste,
        "reserve": reserve,
        "draft_paths": draft_paths,
        "repair_paths": repair_paths,
        "confidence": confidence,
        "min_gain": min_gain,
        "batch": batch,
        "estimate": estimate,
        "vote": vote,
        "selection": selection,
        "repeat_rule": repeat_rule,
        "domain": domain,
        "tests": None if tests is None else tests_in(tests),
    }
    with refusing():
        named = asked_presets(preset or ())
        given["preset"] = named.options
        target = destination_of(wanted_server(ctx, server, named.stack), named.stack)
        options = checked_options({name: value for name, value in given.items() if value is not None}, target)
        check_timeout(timeout)
        checked = asked_priority(priority), flags.checked()
        question = AskedQuestion(read_problem(problem, file), options, target, timeout, *checked)
    run(solved(question, json_output), interrupted="interrupted: the job was cancelled")
