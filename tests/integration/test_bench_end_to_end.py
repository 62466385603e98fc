"""`ssr bench consensus --serve`: servers as processes, whose figures can be computed by hand."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from hang_limit import LIMIT_S
from serve_process import Command, accepts, running_command
from typer.testing import CliRunner

from ssr.cli.stack.ports import free_port
from ssr.core.errors import Conflict
from ssr_bench.cli.consensus import add_to
from ssr_bench.consensus.end_to_end.folder import Folder
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan
from ssr_bench.consensus.recordings import read_recordings

FAKE = Path(__file__).with_name("fake_vllm.py")
SERVE = shlex.join([sys.executable, str(FAKE), "--port", "{port}"])
#: A script around the server that passes no signal on.
WRAPPED = shlex.join(["sh", "-c", f'{SERVE} "$@"; exit $?', "sh"])
PROGRAM = "import typer; from ssr_bench.cli.consensus import add_to; app = typer.Typer(); add_to(app); app()"

app = typer.Typer()
add_to(app)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    file = tmp_path / "sums.jsonl"
    lines = [{"id": f"s{n}", "problem": f"What is {n} + 1?", "answer": n + 1} for n in range(2)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def arguments(dataset: Path, out: Path, *more: str, serve: str = SERVE) -> list[str]:
    asked = ["--dataset", str(dataset), "--samples-per-problem", "3", "--max-draft", "4", "--out", str(out)]
    return ["--serve", serve, *asked, *more]


def figures(out: Path) -> dict[str, dict[str, Any]]:
    return {one["method"]["name"]: one for one in json.loads((out / "figures.json").read_text())["methods"]}


def server_pid(log: Path) -> int:
    found = re.findall(r"pid (\d+)", log.read_text())
    return int(found[-1])


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_methods_are_measured_side_by_side(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(app, arguments(dataset, out, "--json"), env={"SSR_CONSENSUS_POOL": "8"})
    assert result.exit_code == 0, result.stderr
    reported = json.loads(result.stdout)
    rows = {one["method"]["name"]: one for one in reported["methods"]}
    assert list(rows) == ["none", "ngram", "suffix", "consensus"]
    # 6 samples of 10 tokens: one from the first pass, 9 from passes that yield 1 + accepted tokens each.
    none, ngram, suffix, ours = rows.values()
    assert (none["tokens"], none["passes"], none["drafts"]) == (60, 60, 0)
    assert none["tokens_per_pass"] == 1.0
    assert (ngram["passes"], ngram["drafts"], ngram["drafted"], ngram["accepted"]) == (36, 30, 120, 30)
    assert ngram["tokens_per_pass"] == 60 / 36  # not 60 / (60 - 30): a text's last pass may accept beyond its end
    assert ngram["acceptance_at"] == [1.0, 0.0, 0.0, 0.0]
    assert (suffix["passes"], suffix["tokens_per_pass"], suffix["mean_accepted"]) == (24, 2.5, 2.0)
    assert suffix["acceptance"] == 36 / 72
    assert ours["accepted_at"] == [18, 18, 18, 0]
    assert ours["sources"] == {"own": {"drafted": 18, "accepted": 18}, "sibling": {"drafted": 54, "accepted": 36}}
    for row in rows.values():
        assert row["doubts"] == []
        assert (row["sampled"]["samples"], row["sampled"]["tokens"], row["steps"]) == (6, 60, 6)
        assert row["sampled"]["tokens_per_s"] == pytest.approx(60 / row["sampled"]["wall_s"])
        assert 0 < row["sampled"]["latency_s"]["max"] <= row["sampled"]["wall_s"]
    speed = ngram["sampled"]["tokens_per_s"] / none["sampled"]["tokens_per_s"]
    assert reported["beside_none"]["ngram"]["speed"] == pytest.approx(speed)
    assert ours["method"]["settings"] == {"SSR_CONSENSUS_POOL": "8"}
    assert ngram["method"]["settings"] == {}
    log = (out / "server-consensus.log").read_text()
    assert re.search(r"proposer of \S*/ssr-bench-\w+/bundle/ssr/consensus/vllm\.py, counters \S+/counters", log)


def test_samples_are_recordings_in_order_that_can_be_replayed(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(app, arguments(dataset, out, "--methods", "none"))
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^none +1\.000", result.stdout, re.MULTILINE)
    file = out / "samples-none.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(one["problem"], one["sample"]) for one in lines] == [(f"s{n}", m) for n in range(2) for m in range(3)]
    assert all(one["text"] == "words" for one in lines)
    first, second = read_recordings(file)
    assert sorted(one.tokens[0] for one in first.recordings) == [1000, 2000, 3000]
    assert {(len(one.tokens), one.prompt, one.probabilities) for one in second.recordings} == {(10, (7, 7, 7), None)}
    assert CliRunner().invoke(app, [str(file), "--json"]).exit_code == 0


def test_log_probabilities_are_recorded_where_they_are_asked_for(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert CliRunner().invoke(app, arguments(dataset, out, "--methods", "none", "--logprobs")).exit_code == 0
    recorded = [one for problem in read_recordings(out / "samples-none.jsonl") for one in problem.recordings]
    assert {one.probabilities for one in recorded} == {(math.exp(-0.25),) * 10}


def test_a_method_that_fails_costs_no_other(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    faults = {"FAKE_VLLM_DIES": "suffix", "FAKE_VLLM_FAILS": "ngram", "FAKE_VLLM_CRASHES": "custom_class"}
    result = CliRunner().invoke(app, arguments(dataset, out), env=faults)
    assert result.exit_code == 1
    assert "the server of suffix ended with exit code 1 before it served" in result.stderr
    assert "ImportError: no such drafter" in result.stderr
    assert re.search(r"the server of ngram .* answered /v1/chat/completions with HTTP 500: .*EngineCore", result.stderr)
    assert re.search(r"the server of consensus .* does not answer /v1/chat/completions: Server disc", result.stderr)
    assert list(figures(out)) == ["none"]
    before = figures(out)["none"]
    again = CliRunner().invoke(app, arguments(dataset, out))
    assert again.exit_code == 0
    assert "none: measured before" in again.stderr
    assert list(figures(out)) == ["none", "ngram", "suffix", "consensus"]
    assert figures(out)["none"] == before


def test_a_folder_is_one_processs_alone(tmp_path: Path) -> None:
    plan = EndToEndPlan("sums.jsonl", "")
    with closing(Folder(tmp_path, plan)), pytest.raises(Conflict, match=f"^another process is at work in {tmp_path};"):
        Folder(tmp_path, plan)
    Folder(tmp_path, plan).close()


def test_a_folder_takes_one_plan_and_one_setting_of_a_method(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert CliRunner().invoke(app, arguments(dataset, out, "--methods", "none,consensus")).exit_code == 0
    other = CliRunner().invoke(app, arguments(dataset, out, "--temperature", "0.5"))
    assert other.exit_code == 2
    assert "temperature is 0.7, not 0.5" in other.stderr
    ours = CliRunner().invoke(app, arguments(dataset, out), env={"SSR_CONSENSUS_POOL": "8"})
    assert ours.exit_code == 2
    assert "has consensus measured with" in ours.stderr


def wait_until_open(address: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not accepts(address):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting_until(text: str, log: Path, command: Command) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < deadline
        assert command.process.poll() is None, command.errors()
        time.sleep(0.01)


def test_ctrl_c_ends_the_server_and_the_same_command_goes_on(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    log = out / "server-ngram.log"
    asked = arguments(dataset, out, "--methods", "none,ngram", serve=WRAPPED)
    with running_command("-c", PROGRAM, *asked, environment={"FAKE_VLLM_HANGS": "ngram"}) as command:
        waiting_until("hangs", log, command)
        command.signal(signal.SIGINT)
        assert command.exit_code() == 130
        assert f"methods that ended are recorded in {out}" in command.errors()
    assert not lives(server_pid(log))
    assert "ended in order" in log.read_text()
    assert list(figures(out)) == ["none"]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert figures(out)["ngram"]["passes"] == 36


def test_servers_that_run_already(dataset: Path, tmp_path: Path) -> None:
    out, ports = tmp_path / "run", (free_port(), free_port())
    first = [str(FAKE), "--port", str(ports[0])]
    second = [str(FAKE), "--port", str(ports[1]), "--speculative-config", '{"method": "suffix"}']
    asked = ["--dataset", str(dataset), "--out", str(out), "--samples-per-problem", "2", "--max-tokens", "4"]
    with running_command(*first) as one, running_command(*second) as other:
        for command, port in zip((one, other), ports, strict=True):
            command.line("serves")
            wait_until_open(f"127.0.0.1:{port}")
        servers = [f"{name}=http://127.0.0.1:{port}" for name, port in zip(("none", "a-suffix"), ports, strict=True)]
        result = CliRunner().invoke(app, [*asked, "--server", servers[0], "--server", servers[1]])
    assert result.exit_code == 0, result.stderr
    rows = figures(out)
    assert (rows["none"]["server"], rows["none"]["passes"]) == (f"http://127.0.0.1:{ports[0]}", 16)
    assert rows["a-suffix"]["passes"] == 8
    assert rows["a-suffix"]["doubts"] == ["the server drafted nothing"]
    assert "a-suffix: beware: the server drafted nothing" in result.stdout


def test_a_server_gets_its_api_key(dataset: Path, tmp_path: Path) -> None:
    asked = arguments(dataset, tmp_path / "run", "--methods", "none")
    result = CliRunner().invoke(app, asked, env={"VLLM_API_KEY": "a-secret"})
    assert result.exit_code == 0, result.stderr
    assert "a-secret" not in result.output + "".join(
        file.read_text() for file in (tmp_path / "run").iterdir() if file.is_file()
    )


def test_a_server_that_refuses_the_key_is_reported(dataset: Path, tmp_path: Path) -> None:
    asked = arguments(dataset, tmp_path / "run", "--methods", "none", serve=f"env VLLM_API_KEY=another {SERVE}")
    result = CliRunner().invoke(app, asked, env={"VLLM_API_KEY": "a-secret"})
    assert result.exit_code != 0
    assert "answered /v1/models with HTTP 401" in result.stderr


@pytest.mark.parametrize(
    ("wrong", "reported"),
    [
        (["--serve", "vllm serve"], "does not say where the port goes"),
        (["--serve", "vllm --port {port} --speculative-config={}"], "leave --speculative-config out"),
        (["--serve", "/no/such/program {port}"], "/no/such/program cannot be run"),
        (["--serve", SERVE, "--methods", "none,eagle"], "methods: 'eagle' is unknown; known are none, ngram"),
        (["--serve", SERVE, "--speculation", "eagle=7"], "is no JSON object"),
        (["--serve", SERVE, "--bound", "0.2"], "bound: does not go with this mode (end to end)"),
        (["--serve", SERVE, "--server", "none=http://127.0.0.1:1"], "not both"),
        (["--serve", SERVE, "--samples-per-problem", "0"], "samples-per-problem: must be within"),
        (["--server", "none=127.0.0.1:1"], "is no http:// or https:// URL"),
        (["--server", "none=http://127.0.0.1:1", "--methods", "none"], "methods: goes with --serve"),
        (["recorded.jsonl", "--serve", SERVE], "files: does not go with this mode"),
    ],
)
def test_what_is_wrong_is_reported_before_a_server_starts(
    wrong: list[str], reported: str, dataset: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [*wrong, "--dataset", str(dataset), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert reported in result.stderr
    assert not any(file.stat().st_size for file in tmp_path.glob("run/*"))


def test_options_of_this_mode_are_refused_in_a_replay() -> None:
    result = CliRunner().invoke(app, ["recorded.jsonl", "--top-p", "0.9"])
    assert (result.exit_code, result.stderr) == (2, "error: top-p: does not go with this mode (replay)\n")


def test_a_server_that_does_not_come_up_in_time(dataset: Path, tmp_path: Path) -> None:
    serve = shlex.join([sys.executable, "-c", "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"])
    out = tmp_path / "run"
    asked = arguments(dataset, out, "--methods", "none", "--start-timeout", "1", serve=f"{serve} {{port}}")
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 1
    assert "the server of none does not serve after 1 s" in result.stderr
    assert not lives(server_pid(out / "server-none.log"))
