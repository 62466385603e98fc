"""The command line against a scripted server: exit statuses, JSON, bad input, signals."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reasoning_server import JOB_ID, PROBLEM, ScriptedReasoning, away, finished_job, serving_in_thread
from typer.testing import CliRunner, Result

from ssr.cli.app import app
from ssr.core.errors import InvalidRequest
from ssr.core.job import JobStatus
from ssr.v1 import reasoning_pb2

Ssr = Callable[..., Result]


@pytest.fixture
def ssr() -> Ssr:
    """Runs `ssr` with arguments, input, and SSR_SERVER."""

    def run(*arguments: str, stdin: str | bytes = "", server: str | None = None) -> Result:
        return CliRunner(env={"SSR_SERVER": server, "COLUMNS": "100"}).invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def script() -> ScriptedReasoning:
    return ScriptedReasoning()  # type: ignore[abstract]


@pytest.fixture
def server(script: ScriptedReasoning) -> Iterator[str]:
    with serving_in_thread(script) as address:
        yield address


def error_of(result: Result) -> str:
    """The one line of the error."""
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_solve_prints_lines_to_a_pipe(ssr: Ssr, server: str) -> None:
    result = ssr("solve", "--server", server, PROBLEM)
    assert result.exit_code == 0, result.output
    assert "path 0 step 1: draft accepted with 8.2, 12 tokens: 6 times 7 is 42. So" in result.stdout
    assert "path 1 step 1: rewritten, the draft had 3.5" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("answer: 42")
    assert result.stderr == ""


def test_json_is_one_object_and_nothing_else(ssr: Ssr, server: str) -> None:
    result = ssr("solve", PROBLEM, "--json", server=server)
    job = json.loads(result.stdout)
    assert result.stderr == ""
    assert (job["job_id"], job["status"], job["answer"]) == (JOB_ID, "answered", "42")
    vote = {"answer": "42", "paths": [0, 1], "mean_score": 8.625, "posterior": None, "weight": None}
    assert job["votes"] == [vote]
    assert job["paths"][1]["steps"][0]["source"] == "rewritten"


def test_options_reach_the_server(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    given = "--mode parallel-spm --paths 2 --stop-rule fast-1 --threshold 6.5 --seed 3 --strategy-set school"
    ssr("solve", "--server", server, *given.split(), "--scorer", "judge", PROBLEM)
    [request] = script.requests("Submit")
    options = {field.name: value for field, value in request.options.ListFields()}
    assert options["paths"] == 2
    assert options["threshold"] == 6.5
    assert options["seed"] == 3
    assert (options["strategy_set"], options["scorer"]) == ("school", "judge")


def test_budgets_priority_and_tenant_reach_the_server(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    given = "--lookahead 2 --reserve 1 --max-steps 30 --priority batch --tenant shop"
    assert ssr("solve", "--server", server, *given.split(), PROBLEM).exit_code == 0
    [request] = script.requests("Submit")
    assert (request.options.lookahead, request.options.reserve, request.options.max_steps) == (2, 1, 30)
    assert request.priority == reasoning_pb2.PRIORITY_BATCH
    for command in (("watch", JOB_ID), ("cancel", JOB_ID), ("jobs",)):
        assert ssr(*command, "--tenant", "shop", server=server).exit_code == 0
    assert set(script.tenants) == {"shop"}


def test_the_server_chooses_what_is_not_given(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    ssr("solve", "--server", server, PROBLEM)
    [request] = script.requests("Submit")
    assert not request.options.ListFields()


@pytest.mark.parametrize(
    ("status", "exit_code", "said"),
    [
        (JobStatus.NO_ANSWER, 3, ""),
        (JobStatus.FAILED, 1, "error: job job-a failed: the engine is gone"),
        (JobStatus.PARKED, 1, "error: job job-a is parked and not tried again: the engine is gone"),
        (JobStatus.CANCELLED, 1, "error: job job-a was cancelled"),
    ],
)
def test_exit_status_reports_the_outcome(ssr: Ssr, status: JobStatus, exit_code: int, said: str) -> None:
    error = "the engine is gone" if "the engine is gone" in said else ""
    with serving_in_thread(ScriptedReasoning(finished_job(status, error))) as server:  # type: ignore[abstract]
        result = ssr("solve", PROBLEM, server=server)
    assert result.exit_code == exit_code
    assert result.stderr.strip() == said


def test_problem_from_a_file_and_from_standard_input(
    ssr: Ssr, server: str, script: ScriptedReasoning, tmp_path: Path
) -> None:
    file = tmp_path / "problem.txt"
    file.write_text("from a file\n", "utf-8")
    assert ssr("solve", "--file", str(file), server=server).exit_code == 0
    assert ssr("solve", "-", stdin="from µ input\n", server=server).exit_code == 0
    assert [request.problem for request in script.requests("Submit")] == ["from a file", "from µ input"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "error: problem: is missing"),
        (("",), "error: problem: is empty"),
        (("  ",), "error: problem: is empty"),
        (("x" * 20_001,), "error: problem: has 20001 characters; at most 20000"),
        (("-",), "error: problem: is empty"),
        ((PROBLEM, "--file", "f"), "error: problem: is given twice"),
        (("--file", "/no/such/file"), "error: file: /no/such/file cannot be read"),
        (("--file", "/"), "error: file: / cannot be read"),
        ((PROBLEM, "--paths", "0"), "error: paths: must be within 1..16; got 0"),
        ((PROBLEM, "--paths", "17"), "error: paths: must be within 1..16; got 17"),
        ((PROBLEM, "--paths", "many"), "error: Invalid value for '--paths'"),
        ((PROBLEM, "--mode", "ssd", "--paths", "2"), "error: paths: must be 1 in mode ssd"),
        ((PROBLEM, "--threshold", "9.1"), "error: threshold: must be within 0..9; got 9.1"),
        ((PROBLEM, "--threshold", "-1"), "error: threshold: must be within 0..9; got -1"),
        ((PROBLEM, "--threshold", "nan"), "error: threshold: must be within 0..9; got nan"),
        ((PROBLEM, "--mode", "magic"), "error: mode: 'magic' is unknown; known are baseline"),
        ((PROBLEM, "--stop-rule", "never"), "error: stop_rule: 'never' is unknown; known are full"),
        ((PROBLEM, "--scorer", "dice"), "error: scorer: 'dice' is unknown; known are expected"),
        ((PROBLEM, "--strategy-set", "no"), "error: strategy_set: there is no strategy set 'no'; known are"),
        ((PROBLEM, "--seed", "-1"), "error: seed: must be within 0.."),
        ((PROBLEM, "--lookahead", "5"), "error: lookahead: must be within 0..4; got 5"),
        ((PROBLEM, "--paths", "2", "--reserve", "2"), "error: reserve: must be within 0..1, below paths=2; got 2"),
        ((PROBLEM, "--max-steps", "0"), "error: max_steps: must be within 1..4096; got 0"),
        ((PROBLEM, "--priority", "now"), "error: priority: 'now' is unknown; known are interactive, batch"),
        ((PROBLEM, "--tenant", "a b"), "error: tenant: 'a b' is none; send 1..64"),
        ((PROBLEM, "--tenant", ""), "error: tenant: '' is none; send 1..64"),
        ((PROBLEM, "--timeout", "0"), "error: timeout: must be a number of seconds over 0; got 0"),
        ((PROBLEM, "--timeout", "nan"), "error: timeout: must be a number of seconds over 0; got nan"),
        ((PROBLEM, "--preset", "huge"), "error: preset: 'huge' is unknown; known are local"),
        ((PROBLEM, "--preset", "smoke", "--server", "a:1"), "error: preset: is given together with --server"),
        ((PROBLEM, "--server", "nonsense"), "error: server: 'nonsense' is not HOST:PORT"),
        ((PROBLEM, "--server", "host:70000"), "error: server: 'host:70000' is not HOST:PORT"),
        ((PROBLEM, "--pathz", "1"), "error: No such option: --pathz"),
    ],
)
def test_bad_input_is_one_line_and_status_2(ssr: Ssr, arguments: tuple[str, ...], said: str) -> None:
    result = ssr("solve", *arguments)
    assert error_of(result).startswith(said)
    assert result.exit_code == 2


def test_a_file_that_is_no_text(ssr: Ssr, tmp_path: Path) -> None:
    file = tmp_path / "problem.bin"
    file.write_bytes(b"\xff\xfe\x00")
    assert "file: is not UTF-8 text" in error_of(ssr("solve", "--file", str(file)))


def test_what_the_server_refuses_is_bad_input(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    script.faults["Submit"] = [InvalidRequest("strategy_set", "there is no strategy set 'geometry'")]
    result = ssr("solve", "--strategy-set", "geometry", PROBLEM, server=server)
    assert error_of(result) == "error: strategy_set: there is no strategy set 'geometry'"
    assert result.exit_code == 2


def test_a_server_that_is_not_there(ssr: Ssr, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssr.cli.destination.READY_S", 0.2)
    result = ssr("solve", "--server", f"127.0.0.1:{unused_tcp_port}", PROBLEM)
    assert "cannot be reached within 0.2 s" in error_of(result)
    assert result.exit_code == 1


def test_a_passed_deadline_is_a_failure(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    script.silent_after = 2
    result = ssr("solve", "--timeout", "0.3", PROBLEM, server=server)
    assert result.exit_code == 1
    assert "no answer within 0.3 s" in result.stderr
    assert script.cancelled.is_set()


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_job(
    ssr: Ssr, server: str, script: ScriptedReasoning, number: signal.Signals, exit_code: int
) -> None:
    script.silent_after = 2
    script.on_silent = lambda: signal.pthread_kill(threading.main_thread().ident or 0, number)
    result = ssr("solve", PROBLEM, server=server)
    assert result.exit_code == exit_code
    assert result.stderr == "error: interrupted: the job was cancelled\n"
    assert script.cancelled.is_set()


def test_watch(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    script.breaks = [(3, away())]
    result = ssr("watch", JOB_ID, "--server", server)
    assert result.exit_code == 0
    assert result.stdout.count("step 1:") == 2
    assert not script.requests("Cancel")


def test_watch_from_a_cursor(ssr: Ssr, server: str) -> None:
    result = ssr("watch", JOB_ID, "--cursor", "6", server=server)
    assert "step 1:" not in result.stdout
    assert result.stdout.splitlines()[-1].endswith("answer: 42")


def test_cancel_and_jobs(ssr: Ssr, server: str, script: ScriptedReasoning) -> None:
    assert ssr("cancel", JOB_ID, server=server).stdout == "job-a: answered\n"
    listed = ssr("jobs", "--limit", "5", server=server)
    assert JOB_ID in listed.stdout
    assert PROBLEM in listed.stdout
    assert script.requests("List")[0].limit == 5


@pytest.mark.parametrize("command", ["watch", "cancel"])
def test_an_unknown_job(ssr: Ssr, server: str, command: str) -> None:
    result = ssr(command, "job-b", server=server)
    assert error_of(result) == "error: job_id: there is no job 'job-b'"
    assert result.exit_code == 2
