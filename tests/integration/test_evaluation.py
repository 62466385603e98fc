"""`ssr bench accuracy`, `report`, `calibrate` on the simulated stack, and datasets from a hub of the test's own."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from aiohttp import web
from conftest import System
from hang_limit import LIMIT_S
from serve_process import Command, running_command
from typer.testing import CliRunner, Result

from ssr.core.errors import BadReply, InvalidRequest, NotFound, Unavailable
from ssr.core.retry import Backoff
from ssr.selector.strategy_sets import load_strategy_sets
from ssr_bench.cli.accuracy import add_to
from ssr_bench.evaluation import hub
from ssr_bench.evaluation.hub import DatasetsSettings, load_dataset
from ssr_bench.evaluation.results import results_of
from ssr_bench.evaluation.run_directory import PLAN, RECORDS, Evaluation, read
from ssr_bench.evaluation.table import grids

PROGRAM = "import typer; from ssr_bench.cli.accuracy import add_to; app = typer.Typer(); add_to(app); app()"
MODES = "draft,baseline,parallel,parallel-spm,ssd,ssr"

app = typer.Typer()
add_to(app)


@pytest.fixture
def simulated(simulated: dict[str, Any]) -> dict[str, Any]:
    """Caches that report nothing: what is recorded depends on the seeds alone."""
    return simulated | {"prefix_cache_tokens": 0}


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    file = tmp_path / "sums.jsonl"
    sums = [f"{7 + n} * {3 + n} - {n * 5} + {11 * n}" for n in range(8)]
    lines = [{"id": f"s{n}", "problem": f"What is {text}?", "answer": eval(text)} for n, text in enumerate(sums)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def arguments(problems: Path, out: Path, *more: str) -> list[str]:
    given = ["accuracy", "--dataset", str(problems), "--modes", MODES, "--paths", "2"]
    return [*given, "--thresholds", "5,7", "--out", str(out), *more]


async def invoked(arguments: list[str]) -> Result:
    """The command in this process, beside the system of the test."""
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


async def run_through(problems: Path, out: Path, *more: str) -> None:
    done = await invoked(arguments(problems, out, *more))
    assert done.exit_code == 0, done.output


def started_until(lines: int, command: Command, out: Path) -> None:
    """Waits for so many records."""
    deadline = time.monotonic() + LIMIT_S
    while not ((out / RECORDS).exists() and (out / RECORDS).read_bytes().count(b"\n") >= lines):
        assert time.monotonic() < deadline
        assert command.process.poll() is None, command.errors()
        time.sleep(0.01)


def tables(evaluation: Evaluation) -> list[str]:
    """All but the times."""
    *steady, _ = grids(results_of([evaluation])[0][1])
    return [grid.markdown() for grid in steady]


async def test_killed_halfway_and_gone_on_with_is_the_same(problems: Path, tmp_path: Path, system: System) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # Where a draft that ran ahead is cut off depends on the clock, and with it how many tokens it cost.
    more = ("--repeats", "2", "--limit", "3", "--option", "lookahead=0", "--server", system.address)
    await run_through(problems, whole, *more)
    with running_command("-c", PROGRAM, *arguments(problems, broken, *more)) as command:
        await asyncio.to_thread(started_until, 15, command, broken)
        command.signal(signal.SIGKILL)
        assert command.exit_code() == -signal.SIGKILL
    with (broken / RECORDS).open("ab") as file:
        file.write(b'{"dataset": "su')  # as if it had been killed within a line
    before = read(broken)
    assert 15 <= len(before.records) < len(read(whole).records) == 3 * 2 * 8
    await run_through(problems, broken, *more)
    after = read(broken)
    assert after.missing == 0
    assert after.records[: len(before.records)] == before.records
    assert tables(after) == tables(read(whole))


async def test_the_authors_settings_on_the_simulated_pair(problems: Path, tmp_path: Path, system: System) -> None:
    out, modes = tmp_path / "runs", "baseline,parallel-ssd,ssr"
    given = ["accuracy", "--dataset", str(problems), "--server", system.address, "--preset", "paper", "--modes", modes]
    done = await invoked([*given, "--limit", "2", "--out", str(out)])
    assert done.exit_code == 0, done.output
    evaluation = read(out)
    assert evaluation.plan.options == {"preset": "paper"}
    by_mode = {mode: [one for one in evaluation.records if one.cell.mode == mode] for mode in modes.split(",")}
    shape = [(len(runs), {len(one.paths) for one in runs}) for runs in by_mode.values()]
    assert shape == [(2, {1}), (2, {5}), (2, {5})]
    assert not any(one.lost for one in evaluation.records)
    subjects = {strategy.code for strategy in load_strategy_sets()["subjects"]}
    for one in by_mode["ssr"]:
        assert {path.strategy for path in one.paths} <= subjects
        assert one.usage.selection_tokens > 1, "letters are decoded, not ranked by one token"
        scores = [step.judged_score for path in one.paths for step in path.steps if step.judged_score is not None]
        assert scores
        assert all(score == int(score) for score in scores), "digits"
        assert one.usage.wasted_tokens == 0
        usage = one.usage
        assert usage.gamma is not None
        assert usage.gamma_without_spm is not None
        assert usage.gamma > usage.gamma_without_spm > 0
    for one in by_mode["parallel-ssd"]:
        assert one.usage.selection_tokens == 0
        assert one.usage.drafted_tokens > 0


def test_ctrl_c_leaves_in_order_and_says_how_to_go_on(problems: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    plan = arguments(problems, out, "--limit", "2", "--preset", "simulated")
    slow = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "1"}
    with running_command("-c", PROGRAM, *plan, "--concurrency", "3", environment=slow) as command:
        started_until(3, command, out)
        command.signal(signal.SIGINT)
        assert command.exit_code() == 130
        assert f"what ended is recorded in {out}; the same command goes on" in command.errors()
    assert len(read(out).records) >= 3
    with running_command("-c", PROGRAM, *plan, "--concurrency", "8", environment=slow) as command:
        assert command.exit_code() == 0, command.errors()
    assert read(out).missing == 0
    assert not any(one.lost for one in read(out).records)


async def test_what_is_reported_is_what_was_recorded(problems: Path, tmp_path: Path, system: System) -> None:
    out = tmp_path / "runs"
    more = ("--limit", "4", "--note", "a note", "--option", "max_path_tokens=2048", "--server", system.address)
    await run_through(problems, out, "--concurrency", "4", *more)
    evaluation = read(out)
    for one in evaluation.records:
        calls = [*one.selection, *(call for path in one.paths for step in path.steps for call in step.calls)]
        for model in one.usage.models:
            mine = [call for call in calls if call.model == model.model]
            assert sum(call.generated_tokens for call in mine) == model.generated_tokens
            assert sum(call.prompt_tokens for call in mine) == model.prompt_tokens
        assert one.options is not None
        assert one.options.max_path_tokens == 2048
        assert one.correct is (one.answer == one.gold)
        assert one.wall_s is not None
        if one.cell.mode == "draft":
            assert [model.model for model in one.usage.models] == ["simulated-draft-1.5B"]
            assert one.usage.scoring_tokens == 0
    reported = await invoked(["report", str(out)])
    assert reported.exit_code == 0, reported.output
    table = (out / "report" / "table.md").read_text()
    assert "note: a note" in table
    for grid in tables(evaluation):
        assert grid in table
    calibrated = await invoked(["calibrate", str(out), "--accuracy", "0.1", "--decode-ratio", "9", "--json"])
    assert calibrated.exit_code == 0, calibrated.output
    figures = json.loads(calibrated.stdout)
    assert figures["suggestion"]["threshold"] in (5, 7)
    assert figures["scorers"][0]["paths"] > 0
    nothing = await invoked(["calibrate", str(out), "--accuracy", "1", "--decode-ratio", "0.0001"])
    assert nothing.exit_code == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--modes", "best"], "modes: 'best' is unknown"),
        (["--paths", "1,x"], "paths: '1,x' is no list of numbers"),
        (["--thresholds", "10"], "threshold: must be within 0..9"),
        (["--repeats", "0"], "repeats: must be within 1..1000"),
        (["--limit", "0"], "limit: must be at least 1"),
        (["--offset", "8"], "offset: must be below the number of problems, 8"),
        (["--concurrency", "0"], "concurrency: must be within 1..256"),
        (["--option", "colour=red"], "option: 'colour=red' is no NAME=VALUE"),
        (["--option", "max_steps=few"], "max_steps: 'few' is no value of it"),
        (["--option", "lookahead=few"], "lookahead: 'few' is no value of it"),
        (["--timeout", "0"], "timeout: must be a number of seconds over 0"),
        (["--dataset", "gsm9k"], "dataset: 'gsm9k' is unknown"),
        (["--preset", "big"], "preset: 'big' is unknown"),
    ],
)
def test_bad_input_names_the_field_and_leaves_nothing(
    problems: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, arguments(problems, tmp_path / "runs", *more))
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


async def test_a_folder_with_another_plan_is_refused(problems: Path, tmp_path: Path, system: System) -> None:
    more = ("--limit", "1", "--server", system.address)
    await run_through(problems, tmp_path / "runs", *more, "--modes", "baseline")
    result = await invoked(arguments(problems, tmp_path / "runs", *more))
    assert result.exit_code == 2
    assert "has another plan: cells baseline (now baseline, draft," in result.stderr
    assert (tmp_path / "runs" / PLAN).exists()


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@asynccontextmanager
async def viewer(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[str]:
    """A dataset viewer on this machine."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    application = web.Application()
    application.router.add_get("/rows", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def pages(rows: list[dict[str, Any]], asked: list[dict[str, str]]) -> Callable[[web.Request], web.Response]:
    """The viewer's protocol, as it is documented."""

    def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        first, length = int(request.query["offset"]), int(request.query["length"])
        assert length <= 100
        page = [{"row_idx": n, "row": row, "truncated_cells": []} for n, row in enumerate(rows)][first : first + length]
        return web.json_response({"features": [], "rows": page, "num_rows_total": len(rows), "partial": False})

    return answer


async def test_a_dataset_of_the_hub_is_fetched_page_by_page_once(tmp_path: Path) -> None:
    rows = [{"question": f"What is {n}000?", "answer": f"Easy: <<{n}>>.\n#### {n},000"} for n in range(1, 251)]
    asked: list[dict[str, str]] = []
    async with viewer(pages(rows, asked)) as url:
        settings = DatasetsSettings(dir=tmp_path / "datasets", url=url + "/")
        problems = await load_dataset("gsm8k", settings)
        assert await load_dataset("gsm8k", settings) == problems
    assert [query["offset"] for query in asked] == ["0", "100", "200"]
    assert {query["dataset"] for query in asked} == {"openai/gsm8k"}
    assert [(one.id, one.text, one.answer) for one in (problems[0], problems[-1])] == [
        ("gsm8k-0", "What is 1000?", "1000"),
        ("gsm8k-249", "What is 250000?", "250000"),
    ]
    assert names(tmp_path / "datasets") == ["gsm8k.jsonl"]


@pytest.mark.parametrize(
    ("name", "row", "problem"),
    [
        (
            "math500",
            {"problem": "x?", "solution": "s", "answer": "\\frac12", "subject": "Algebra", "unique_id": "test/1.json"},
            ("test/1.json", "x?", "\\frac12"),
        ),
        ("aime2024", {"id": 60, "problem": "x?", "answer": "204", "year": "2024"}, ("aime2024-60", "x?", "204")),
        (
            "svamp",
            {"ID": "chal-7", "Body": "There are 8 hens", "Question": "How many?", "Answer": "8.0", "Type": "t"},
            ("svamp-chal-7", "There are 8 hens. How many?", "8"),
        ),
        (
            "asdiv",
            {"body": "Ann has 3.", "question": "How many?", "answer": "3 (apples)"},
            ("asdiv-0", "Ann has 3. How many?", "3"),
        ),
        ("multiarith", {"question": " How many? ", "final_ans": "3"}, ("multiarith-0", "How many?", "3")),
        (
            "livemathbench",
            {"question": "x?", "answer": "B", "question_type": "single-choice", "options": ["A. 1", "B. 2"]},
            ("livemathbench-0", "x?\nA. 1\nB. 2", "B"),
        ),
        ("livemathbench", {"question": "x?", "answer": "$3$"}, ("livemathbench-0", "x?", "$3$")),
    ],
)
async def test_rows_become_problems(tmp_path: Path, name: str, row: dict[str, Any], problem: tuple[str, ...]) -> None:
    async with viewer(pages([row], [])) as url:
        (one,) = await load_dataset(name, DatasetsSettings(dir=tmp_path, url=url))
    assert (one.id, one.text, one.answer) == problem


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (web.json_response({"error": "no such dataset"}, status=404), NotFound, "answers 404 .*no such dataset"),
        (web.json_response({"rows": []}), BadReply, "not what the dataset viewer promises"),
        (web.json_response({"rows": [], "num_rows_total": 3}), BadReply, "a page has no rows"),
        (web.Response(text="<html>"), BadReply, "no JSON"),
        (
            web.json_response({"rows": [{"row": {}, "truncated_cells": ["problem"]}], "num_rows_total": 1}),
            BadReply,
            r"cells are cut off \(problem\)",
        ),
        (web.json_response({"rows": [{"row": {"x": 1}}], "num_rows_total": 1}), BadReply, "row 0 is not as expected"),
    ],
)
async def test_what_the_hub_should_not_say(
    tmp_path: Path, reply: web.Response, error: type[Exception], message: str
) -> None:
    async with viewer(lambda _: reply) as url:
        with pytest.raises(error, match=message):
            await load_dataset("math500", DatasetsSettings(dir=tmp_path, url=url))
    assert names(tmp_path) == []


async def test_a_busy_hub_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_RETRIES", Backoff(0.0, 0.0, attempts=3))
    row = {"id": 1, "problem": "x?", "answer": "1"}
    good, failures = pages([row], []), [503, 429]

    def busy(request: web.Request) -> web.Response:
        return web.Response(status=failures.pop()) if failures else good(request)

    async with viewer(busy) as url:
        assert len(await load_dataset("aime2024", DatasetsSettings(dir=tmp_path, url=url))) == 1
        failures += [503] * 3
        with pytest.raises(Unavailable, match="answers 503 .* name a mirror"):
            await load_dataset("aime2024", DatasetsSettings(dir=tmp_path / "other", url=url))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await load_dataset("aime2024", DatasetsSettings(dir=tmp_path / "other", url=url))


async def test_a_name_that_is_no_dataset() -> None:
    with pytest.raises(
        InvalidRequest, match="give gsm8k, math500, aime2024, svamp, asdiv, multiarith, livemathbench, or a .jsonl file"
    ):
        await load_dataset("gsm9k")
